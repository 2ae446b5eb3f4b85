"""Keeps the peers of the trunks: DNS, health, registrations both ways (RFC 3263)."""
