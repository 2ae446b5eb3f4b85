"""Decides where a call goes: trunks, routes, number plans, limits. Sans-IO."""
