"""Reads and writes codecs and packet formats. Pure functions."""
