"""The masks of an audit log, each with when it was on, why, and what it kept from the agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from b2bua.audit.entry import Entry, Result

ON: Final = "mask_on"
OFF: Final = "mask_off"


@dataclass(slots=True)
class Mask:
    """One mask. `line`, `end_line`: the numbers of its entries; 0: the log has none."""

    call: str
    line: int = 0
    end_line: int = 0
    payment: str = ""
    who: str = ""
    begin: dict[str, str | int] = field(default_factory=dict)
    end: dict[str, str | int] = field(default_factory=dict)
    failed: bool = False

    def as_json(self) -> dict[str, str | int | bool]:
        """For programs: the figures of the end, and why it began."""
        found: dict[str, str | int | bool] = {
            "call": self.call, "payment": self.payment, "who": self.who, "line": self.line,
            "end_line": self.end_line,
        }  # fmt: skip
        if self.failed:
            return found | {"failed": True, "why": self.begin.get("why", "")}
        if "reason" in self.begin:
            found["on_because"] = self.begin["reason"]
        end = dict(self.end)
        if "reason" in end:
            found["off_because"] = end.pop("reason")
        return {"since": self.begin.get("since", "")} | found | end

    def as_text(self) -> str:
        """One line for people."""
        if self.failed:
            return f"call {self.call}: did NOT go on, asked for by {self.who}: {self.begin.get('why', '')}"
        since = self.end.get("since", self.begin.get("since", "?"))
        began = f" ({self.begin['reason']}, {self.who})" if "reason" in self.begin else ""
        if not self.end:
            return f"call {self.call}: masked from {since}{began}; the log does not say until when"
        until = self.end.get("until", "a time that is not known")
        spans = f"call {self.call}: masked from {since}{began} to {until} ({self.end['reason']})"
        return f"{spans}: {self._figures()}"

    def _figures(self) -> str:
        end = self.end
        doubt = "; NOT confirmed all the time" if "confirmed" in end else ""
        if "keys" not in end:
            return f"{end.get('counts', 'not counted')}{doubt}"
        forms = f"{end['keys_as_events']} as events, {end['keys_as_tones']} as tones"
        infos = f", {end['infos']} SIP INFOs" if end.get("infos") else ""
        stopped = f"{end['keys']} keys stopped ({forms}, {end['keys_as_both']} as both{infos}; "
        stopped += f"{end['withheld']} packets, {end['octets']} octets)"
        if "keys_counted" in end:
            stopped += f" [keys {end['keys_counted']}]"
        return f"{stopped}, {_escaped(end)} in {end['left']} packets that left{doubt}"


def _escaped(end: Mapping[str, str | int]) -> str:
    """What was found in packets that left."""
    found = {
        "packets with a key GOT OUT": end.get("passed", 0),
        "keys found by the canary": end.get("alarms", 0),
    }
    return ", ".join(f"{count} {words}" for words, count in found.items() if count) or "none got out"


def masks_of(entries: Iterable[tuple[int, Entry]]) -> Iterator[Mask]:
    """The masks that these entries, with their numbers, tell of; those without an end come last."""
    on: dict[str, Mask] = {}
    for number, entry in entries:
        if entry.what == ON and entry.result is Result.FAILED:
            yield Mask(
                entry.call, number, payment=entry.payment, who=entry.who, begin=entry.details, failed=True
            )
        elif entry.what == ON:
            before = on.pop(entry.call, None)
            if before is not None:
                yield before
            on[entry.call] = Mask(
                entry.call, number, payment=entry.payment, who=entry.who, begin=entry.details
            )
        elif entry.what == OFF:
            mask = on.pop(entry.call, None) or Mask(entry.call)
            mask.end, mask.end_line, mask.payment = entry.details, number, entry.payment or mask.payment
            yield mask
    yield from on.values()
