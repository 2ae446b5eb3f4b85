"""Holds all calls, and carries out what they ask for."""
