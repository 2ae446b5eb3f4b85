"""Answers and makes digest challenges (RFC 7616)."""
