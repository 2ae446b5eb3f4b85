"""What a phone of the model says and hears in session descriptions (RFC 3264): its port, events and
direction."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANSWERS = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "sendrecv": "sendrecv"}


@dataclass(frozen=True, slots=True)
class Own:
    """What a phone wants. `events`: its payload type for telephone-event, None for a phone that
    does without."""

    port: int
    events: int | None = 101
    direction: str = "sendrecv"

    def describe(self, host: str, version: int, direction: str = "") -> str:
        kinds = "0" if self.events is None else f"0 {self.events}"
        rows = ["v=0", f"o=phone {self.port} {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
        rows += [f"m=audio {self.port} RTP/AVP {kinds}", "a=rtpmap:0 PCMU/8000"]
        if self.events is not None:
            rows += [f"a=rtpmap:{self.events} telephone-event/8000", f"a=fmtp:{self.events} 0-16"]
        return "\r\n".join([*rows, f"a={direction or self.direction}", ""])

    def answer_to(self, offered: str) -> str:
        """The direction of an answer: no more than the offer lets us, no more than we want (section
        6.1)."""
        allowed = _ANSWERS[offered]
        sends = "send" in allowed and "send" in self.direction
        receives = allowed in ("recvonly", "sendrecv") and self.direction in ("recvonly", "sendrecv")
        return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
            (sends, receives), "inactive"
        )


@dataclass(frozen=True, slots=True)
class Theirs:
    """What Tonewall says to this phone. `events`: the payload type that events are to be sent
    with."""

    host: str
    port: int
    events: int | None
    direction: str

    @property
    def wants_media(self) -> bool:
        """Whether we may send."""
        return bool(self.port) and self.direction in ("sendrecv", "recvonly") and self.host != "0.0.0.0"


def parse(body: str) -> Theirs | None:
    """The audio of a description, None where there is none."""
    port = re.search(r"(?m)^m=audio (\d+) ", body)
    if port is None:
        return None
    hosts = re.findall(r"(?m)^c=IN IP4 (\S+)", body)
    events = re.search(r"(?m)^a=rtpmap:(\d+) telephone-event/8000", body)
    direction = re.findall(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\r?$", body)
    return Theirs(
        hosts[-1] if hosts else "",
        int(port[1]),
        int(events[1]) if events else None,
        direction[-1] if direction else "sendrecv",
    )
