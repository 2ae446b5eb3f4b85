"""Reads, compares and rewrites session descriptions (RFC 8866, RFC 3264). Sans-IO."""
