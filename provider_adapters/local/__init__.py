"""Plays a payment provider on this machine, for the demo and for tests."""
