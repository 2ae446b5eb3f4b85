"""Turns octets into SIP messages and back, and decides which headers cross. Sans-IO."""
