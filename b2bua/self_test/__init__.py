"""The self-test of a live trunk: canary keys through the real carrier, and what of them arrives."""
