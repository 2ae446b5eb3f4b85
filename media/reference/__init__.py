"""Decides in Python what the core decides in C. For tests only: they compare the two."""
