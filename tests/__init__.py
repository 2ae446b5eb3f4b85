"""Tonewall's tests. A package of its own, because another distribution installs a top-level `tests`
too."""
