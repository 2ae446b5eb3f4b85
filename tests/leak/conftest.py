"""Fixtures of these tests."""

from tests.leak.decoded_line import line

__all__ = ["line"]
