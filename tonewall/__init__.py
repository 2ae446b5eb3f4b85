"""What every Tonewall process needs and none owns: framing, logging, settings, hardening."""
