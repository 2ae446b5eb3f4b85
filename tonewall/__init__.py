"""Base of every Tonewall process: framing, logging, settings, hardening."""
