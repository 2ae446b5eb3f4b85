"""Charges one card in a process of its own: the pipe to media, the journal, the HTTPS client."""
