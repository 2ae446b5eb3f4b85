"""Payments without an agent, on the wire through a whole Tonewall: from the INVITE to the place
where the call goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.wire.form_calls import NEXT, PERSON, form_call
from tests.wire.paying import digits_sha256
from tests.wire.scene import events


@pytest.mark.parametrize("by_pbx", [False, True])
async def test_a_customer_pays_without_an_agent_and_the_call_goes_on(tmp_path: Path, *, by_pbx: bool) -> None:
    async with form_call(tmp_path, by_pbx=by_pbx) as at:
        await at.keyed(CANARY.keys)
        await at.confirmed()
        agent = await at.goes_on(NEXT)
        [charge] = await at.stack.charges()
        assert (charge["amount"], charge["digits_sha256"]) == (4995, digits_sha256())
        await at.talks()
        await at.hangs_up()
        bye = await at.pbx.hear("BYE")
        assert bye.one("Call-ID") == agent.call_id
        at.pbx.reply(bye, 200)
        assert events(at.next) == 0


async def test_star_and_zero_bring_a_person_who_gets_no_digit(tmp_path: Path) -> None:
    async with form_call(tmp_path) as at:
        await at.step("keying")
        await at.customer.key(CANARY.keys[:6])
        await at.customer.key("*0")
        agent = await at.goes_on(PERSON)
        view = await at.stack.call(at.call_id)
        assert view["unattended"]["why"] == "person_wanted"
        await at.talks()
        await at.hangs_up()
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        assert events(at.next) == 0
        assert await at.stack.charges() == []
        assert agent
