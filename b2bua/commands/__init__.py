"""Implements the `tonewall` commands, one file each."""
