"""Installed version."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("tonewall")
except PackageNotFoundError:  # run from a tree that was never installed
    VERSION = "0+unknown"
