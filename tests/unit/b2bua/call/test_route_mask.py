"""How a customer is masked: as the route says, or else the customer's trunk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2bua.call.command import ToMedia
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Masking, SetMask, Side
from media.mask_policy import MaskPolicy
from tests.call_script import Script


@pytest.mark.parametrize("near", Side)
@pytest.mark.parametrize("wanted", [None, *MaskPolicy])
@pytest.mark.parametrize("of_trunk", MaskPolicy)
def test_the_route_decides_the_policy_and_the_carrier_all_else(
    near: Side, wanted: MaskPolicy | None, of_trunk: MaskPolicy
) -> None:
    customers = "near trunk" if near is Side.CALLER else "far trunk"
    masking = Masking(policy=of_trunk, pause=3.5, tones=True)
    script = Script(near, policies={customers: TrunkPolicy(masking=masking)}).answer()
    trunks = script.call.bridge.trunks
    trunks.route = replace(trunks.route, mask=wanted)
    (mask,) = (
        each.command
        for each in script.start("p-1")
        if isinstance(each, ToMedia) and isinstance(each.command, SetMask)
    )
    assert mask.on
    assert mask.masking == Masking(policy=wanted or of_trunk, pause=3.5, tones=True)
