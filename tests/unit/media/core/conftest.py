"""Fixtures of these tests."""

from tests.unit.media.core.relay_rig import one_processor

__all__ = ["one_processor"]
