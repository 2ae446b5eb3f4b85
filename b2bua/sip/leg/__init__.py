"""Runs one leg of a call: its dialog, its session, and what is asked within it (RFC 3261)."""
