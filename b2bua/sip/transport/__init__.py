"""Sends and receives SIP over UDP, TCP and TLS (RFC 3261 section 18)."""
