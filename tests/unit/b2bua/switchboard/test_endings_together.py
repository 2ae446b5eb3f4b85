"""Endings that come while a prompt plays or a payment is only announced, and two payments at once:
with the media service, its captures and its playback behind the switchboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from b2bua.call import leg
from b2bua.call.call_session import PATIENCE
from b2bua.call.order import Order
from b2bua.call.view import CallView, CaptureStage, MaskStage
from media._core import CALLER, OVERFLOW
from media.events import Field, Side
from provider_adapters.payment import Approved, Declined
from tests.call_script import THEIRS, sdp
from tests.canary import CANARY
from tests.played_media import Fate, PlayedRelay
from tests.whole_payments import GUARD, RELEASE, Payments

NAMES = iter(range(1, 1_000_000))


@pytest.fixture
def at() -> Iterator[Payments]:
    made = Payments()
    yield made
    made.close()


def order() -> Order:
    return Order(transaction_id=f"order-{next(NAMES)}", amount=1250, currency="EUR")


def view(at: Payments, call: str) -> CallView:
    return next(each for each in at.exchange.board.calls() if each.id == call)


def stage(at: Payments, call: str) -> CaptureStage:
    capture = view(at, call).capture
    assert capture is not None
    return capture.stage


def started(at: Payments, call: str) -> None:
    at.run(at.exchange.board.start_capture(call, order(), "ann"))
    at.wait(0)
    assert stage(at, call) is CaptureStage.COLLECTING


def complete(at: Payments, call: str) -> None:
    for text in (CANARY.number, CANARY.expiry, CANARY.code):
        at.press(call, f"{text}#", 0.2)
        at.wait(1.5)
    assert stage(at, call) is CaptureStage.READY


def plays(at: Payments, call: str) -> bool:
    """Whether the customer hears a prompt."""
    stream = at.media.stream_of(call)
    return stream is not None and CALLER in at.media.relay.streams[stream].playing


def cancel(at: Payments, call: str) -> None:
    at.run(at.exchange.board.cancel_capture(call, "ann"))
    at.wait(0)


def lose_key(at: Payments, call: str) -> None:
    relay, stream = at.media.relay, at.media.stream_of(call)
    assert stream is not None
    at.do(lambda: announce(relay, stream, OVERFLOW))


def announce(relay: PlayedRelay, stream: int, kind: int) -> None:
    relay.events.append((stream, kind))
    relay.report()


def hang_up(side: Side) -> Callable[[Payments, str], None]:
    return lambda at, call: at.happens(call, side, leg.LegHungUp("bye"))


def drop_events(at: Payments, call: str) -> None:
    at.happens(call, Side.CALLER, leg.LegReinvited(sdp("192.0.2.30", 6000, events=False)))


def fall_silent(at: Payments, call: str) -> None:
    stream = at.media.stream_of(call)
    assert stream is not None
    at.media.relay.streams[stream].fell_silent = at.loop.now
    at.wait(20.0)


def lose_media(at: Payments, _call: str) -> None:
    at.do(at.kill_media)
    at.wait(PATIENCE)


def lose_media_for_a_moment(at: Payments, _call: str) -> None:
    at.do(at.kill_media)
    at.wait(0.05)
    at.do(at.start_media)


def lose_media_and_the_session(at: Payments, call: str) -> None:
    at.restores = False
    lose_media_for_a_moment(at, call)
    assert at.exchange.board.calls() == []


def stop(at: Payments, _call: str) -> None:
    at.do(at.exchange.board.shut_down)


def wait_long(at: Payments, _call: str) -> None:
    """Longer than `key_timeout` and `ready_timeout`, and shorter than the mask is held."""
    at.wait(15.5)


ENDINGS: dict[str, Callable[[Payments, str], None]] = {
    "cancel": cancel,
    "no key": wait_long,
    "a key is lost": lose_key,
    "customer hangs up": hang_up(Side.CALLER),
    "agent hangs up": hang_up(Side.AGENT),
    "customer's side drops telephone-event": drop_events,
    "no RTP": fall_silent,
    "media is lost": lose_media,
    "media is killed": lose_media_for_a_moment,
    "media is killed, and has no sockets": lose_media_and_the_session,
    "Tonewall is stopped": stop,
}
every_ending = pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)


@every_ending
@pytest.mark.parametrize("ready", [False, True], ids=["collecting", "ready"])
def test_no_prompt_goes_on_behind_the_end(
    at: Payments, end: Callable[[Payments, str], None], ready: bool
) -> None:
    call = at.dial()
    started(at, call)
    if ready:
        complete(at, call)
    assert plays(at, call)
    assert view(at, call).capture is not None
    end(at, call)
    at.wait(0)
    assert not plays(at, call)
    assert set(at.stages.values()) <= ENDED
    assert all(each.prompts == () for each in at.exchange.board.calls())
    assert not any(any(memoryview(memory)) for memory in at.memories)


ENDED = {CaptureStage.CANCELLED, CaptureStage.ABORTED}


@pytest.mark.parametrize(
    "outcome", [Approved(reference="r"), Declined(reason="05")], ids=["paid", "declined"]
)
def test_an_outcome_comes_while_a_prompt_plays(at: Payments, outcome: Approved | Declined) -> None:
    call = at.dial()
    started(at, call)
    complete(at, call)
    at.provider.fate = Fate(outcome=outcome)
    at.run(at.exchange.board.submit_capture(call, "ann"))
    assert plays(at, call)
    at.wait(0.6)
    capture = view(at, call).capture
    assert capture is not None
    assert (capture.stage, capture.outcome) == (CaptureStage.FINISHED, outcome)
    at.wait(GUARD)
    assert view(at, call).mask is (MaskStage.OFF if isinstance(outcome, Approved) else MaskStage.HELD)
    at.wait(RELEASE)
    assert view(at, call).mask is MaskStage.OFF


@pytest.mark.parametrize("how", ["holds", "transfers"])
def test_a_prompt_plays_on_where_only_the_agents_side_changes(at: Payments, how: str) -> None:
    call = at.dial()
    started(at, call)
    event: leg.LegEvent = leg.LegReinvited(THEIRS[Side.AGENT] + b"a=sendonly\r\n")
    at.happens(call, Side.AGENT, event if how == "holds" else leg.LegReferred("r1", leg.Party("600")))
    assert stage(at, call) is CaptureStage.COLLECTING
    assert plays(at, call)
    assert view(at, call).prompts == (Field.CARD_NUMBER,)


@every_ending
def test_a_mask_that_is_only_announced_ends_as_masks_do(
    at: Payments, end: Callable[[Payments, str], None]
) -> None:
    call = at.dial()
    at.run(at.exchange.board.announce_payment(call, "ann"))
    at.press(call, "4929", 0.2)
    assert view(at, call).keys_dropped == 4
    assert at.media.relay.reached == {}
    end(at, call)
    at.wait(4.0 + RELEASE)
    assert all(each.mask is MaskStage.OFF for each in at.exchange.board.calls())
    assert at.memories == []
    assert at.media.relay.reached == {}


def test_two_calls_of_one_agent_have_a_payment_each_and_are_not_joined_meanwhile(at: Payments) -> None:
    first, second = at.dial(), at.dial("pbx")
    for call in (first, second):
        started(at, call)
    for call in (first, second):
        complete(at, call)
    for call, other in ((first, second), (second, first)):
        replaced = at.leg_of(other, Side.AGENT)
        at.happens(call, Side.AGENT, leg.LegReferred(f"r-{call}", leg.Party("600"), replaces=replaced))
        assert {each.id for each in at.exchange.board.calls()} == {first, second}
        assert stage(at, call) is CaptureStage.READY
    for call in (first, second):
        at.run(at.exchange.board.submit_capture(call, "ann"))
    at.wait(0.6 + 2 * GUARD)
    assert [stage(at, call) for call in (first, second)] == [CaptureStage.FINISHED] * 2
    assert sorted(at.provider.charges.values()) == [1, 1]
    assert [view(at, call).mask for call in (first, second)] == [MaskStage.OFF] * 2
    replaced = at.leg_of(second, Side.AGENT)
    at.happens(first, Side.AGENT, leg.LegReferred("again", leg.Party("600"), replaces=replaced))
    assert len(at.exchange.board.calls()) == 1, "joined now that neither is masked"


def test_the_second_payment_of_a_call_has_its_own_capture_behind_the_same_mask(at: Payments) -> None:
    call = at.dial()
    started(at, call)
    at.press(call, CANARY.number[:6], 0.2)
    cancel(at, call)
    assert view(at, call).mask is MaskStage.HELD
    started(at, call)
    capture = view(at, call).capture
    assert capture is not None
    assert capture.fields[0].count == 0
    complete(at, call)
    at.run(at.exchange.board.submit_capture(call, "ann"))
    at.wait(0.6 + 2 * GUARD)
    assert (stage(at, call), view(at, call).mask) == (CaptureStage.FINISHED, MaskStage.OFF)
    assert at.media.relay.reached == {}
    assert not any(any(memoryview(memory)) for memory in at.memories)
