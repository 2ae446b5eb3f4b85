"""What several of these tests stand on."""

from tests.leak.test_decoded import line

__all__ = ["line"]
