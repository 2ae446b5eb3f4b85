"""Makes the parts of the b2bua process from its settings."""
