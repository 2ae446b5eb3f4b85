"""Reads the answers of providers whose adapter would be too long with them."""
