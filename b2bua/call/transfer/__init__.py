"""Carries out REFER and Replaces between two calls (RFC 3515, RFC 3891, RFC 5589). Sans-IO."""
