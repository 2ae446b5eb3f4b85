"""The masks that entries of the audit log tell of, as the auditor reads them."""

from __future__ import annotations

from b2bua.audit.entry import Entry, Result
from b2bua.audit.masks import OFF, ON, Mask, masks_of

SINCE, UNTIL = "2026-12-01T10:02:07.114Z", "2026-12-01T10:03:40.902Z"
FIGURES: dict[str, str | int] = {
    "keys": 26, "keys_as_events": 26, "keys_as_tones": 2, "keys_as_both": 2, "event_packets": 208,
    "withheld": 210, "octets": 3400, "left": 4682, "passed": 0, "alarms": 0, "infos": 0,
}  # fmt: skip


def entry(what: str, call: str = "c", result: Result = Result.NOTED, **details: str | int) -> Entry:
    return Entry(at="then", who="ann", what=what, result=result, call=call, details=details)


def on(call: str = "c") -> Entry:
    return entry(ON, call, reason="payment", since=SINCE)


def off(call: str = "c", **more: str | int) -> Entry:
    return entry(OFF, call, **{"reason": "approved", "since": SINCE, "until": UNTIL, **FIGURES, **more})


def masks(*entries: Entry) -> list[Mask]:
    return list(masks_of(enumerate(entries, 1)))


def test_a_mask_is_one_line_that_answers_the_auditor() -> None:
    (mask,) = masks(on(), off())
    assert mask.as_text() == (
        f"call c: masked from {SINCE} (payment, ann) to {UNTIL} (approved): 26 keys stopped (26 as events, "
        "2 as tones, 2 as both; 210 packets, 3400 octets), none got out in 4682 packets that left"
    )
    found = mask.as_json()
    assert (found["line"], found["end_line"], found["who"]) == (1, 2, "ann")
    assert (found["on_because"], found["off_because"], found["keys"]) == ("payment", "approved", 26)


def test_what_got_out_is_never_said_to_be_nothing() -> None:
    (mask,) = masks(on(), off(passed=3, infos=7))
    assert "3 packets with a key GOT OUT in 4682" in mask.as_text()
    assert "2 as both, 7 SIP INFOs;" in mask.as_text()
    (heard,) = masks(on(), off(alarms=1))
    assert "1 keys found by the canary in 4682" in heard.as_text()
    assert "none" not in mask.as_text() + heard.as_text()


def test_masks_of_calls_at_the_same_time_are_told_apart() -> None:
    first, second = masks(on("a"), on("b"), off("b", keys=4), off("a", keys=9))
    assert [(each.call, each.line, each.end["keys"]) for each in (first, second)] == [
        ("b", 2, 4),
        ("a", 1, 9),
    ]


def test_a_mask_without_an_end_a_beginning_or_counts_says_so() -> None:
    lost: dict[str, str | int] = {"reason": "media_lost", "since": SINCE, "counts": "unknown: lost"}
    ended, replaced, open_ended = masks(on(), on("d"), entry(OFF, "d", **lost), on())
    assert replaced.as_text().endswith("the log does not say until when")
    assert open_ended.end_line == 0
    assert "to a time that is not known (media_lost): unknown: lost" in ended.as_text()
    (outlived,) = masks(off("y", keys_counted="since then"))
    assert "octets) [keys since then], none got out" in outlived.as_text()
    (orphan,) = masks(off("x", confirmed="not all the time"))
    assert orphan.as_text().startswith(f"call x: masked from {SINCE} to {UNTIL}")
    assert orphan.as_text().endswith("; NOT confirmed all the time")


def test_a_mask_that_did_not_go_on_is_none() -> None:
    (failed,) = masks(entry(ON, result=Result.FAILED, reason="payment", why="no memory"))
    assert failed.as_text() == "call c: did NOT go on, asked for by ann: no memory"
    assert failed.as_json()["failed"] is True
