"""Test calls through a trunk before it takes calls: what its peer really sends, and the settings
that fit it."""
