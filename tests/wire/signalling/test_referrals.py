"""How many REFERs a leg keeps, and what becomes of them when it ends."""

from __future__ import annotations

from b2bua.call.leg import LegReferred
from b2bua.sip.leg.referral import MAX_REFERRALS
from tests.wire.signalling.stage import staged
from tests.wire.sip_bridge import until


async def test_a_leg_keeps_so_many_referrals_refuses_more_and_answers_all_when_it_ends() -> None:
    async with staged(refer=True) as stage:  # type: ignore[arg-type]
        _, far = await stage.up()

        def refer(cseq: int) -> None:
            stage.pbx.send(
                stage.pbx.request("REFER", call=far, cseq=cseq, Refer_To=f"<sip:{cseq}@pbx.example>")
            )

        for cseq in range(1, MAX_REFERRALS + 1):
            refer(cseq)
        await until(lambda: len(stage.bridge.kinds(LegReferred)) == MAX_REFERRALS)
        for cseq in range(MAX_REFERRALS + 1, MAX_REFERRALS + 4):
            refer(cseq)
            assert (await stage.pbx.hear("491")).one("CSeq") == f"{cseq} REFER"
        assert len(stage.bridge.kinds(LegReferred)) == MAX_REFERRALS
        stage.pbx.send(stage.pbx.request("BYE", call=far, cseq=MAX_REFERRALS + 4))
        ended = {(await stage.pbx.hear("487")).one("CSeq") for _ in range(MAX_REFERRALS)}
        assert ended == {f"{cseq} REFER" for cseq in range(1, MAX_REFERRALS + 1)}
        stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
        await stage.empty()
