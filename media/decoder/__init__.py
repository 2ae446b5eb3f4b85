"""Decodes Opus, G.729, GSM and AMR for tones, in a process of its own."""
