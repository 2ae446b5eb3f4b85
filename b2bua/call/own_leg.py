"""Names the legs that are an end of ours, and what stands for their trunk: no SIP engine knows
them."""

from __future__ import annotations

from typing import Final

from b2bua.call.leg import LegId
from tonewall.tokens import token

_TRUNK: Final = "form:"  # no trunk has a colon in its name
_LEG: Final = "own:"  # nor has a leg of an engine


def own_trunk(form: str) -> str:
    """What stands for the trunk of our end, in records and ladders: the form in which the call
    ends."""
    return _TRUNK + form


def is_own_trunk(trunk: str) -> bool:
    """Whether that stands for an end of ours."""
    return trunk.startswith(_TRUNK)


def new_own_leg() -> LegId:
    """Name a leg that is our end."""
    return LegId(_LEG + token(8))


def is_own_leg(leg: LegId) -> bool:
    """Whether that leg is our end."""
    return leg.startswith(_LEG)
