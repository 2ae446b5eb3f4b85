"""`python -m tests.fuzz TARGET [libFuzzer's options]`: the targets, one function each, which must not raise.

Needs atheris (the extra `fuzz`), which brings its own libFuzzer. What it finds interesting is kept in build/fuzz/TARGET and is
where the next run begins; a crash is written beside it, and belongs into the tests as a case of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

from b2bua.call import sdp
from b2bua.sip.admission import inspect
from b2bua.sip.auth import challenges
from b2bua.sip.compose import response, return_hop
from b2bua.sip.dialog import Dialog
from b2bua.sip.hop import Hop
from b2bua.sip.message import MalformedError, Response, read, salvage
from media.events import LocalStream
from tests.fixtures.torture import ALL

_CORPUS = Path("build/fuzz")
_HOP = Hop("192.0.2.1", 5060)
_LOCAL = [LocalStream("192.0.2.2", 4000)] * 4
_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n"
    b"m=audio 4 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def message(data: bytes) -> None:
    """A datagram: read, judged, answered; an INVITE opens a dialog; nothing but MalformedError and ValueError, where said."""
    try:
        received = read(data, _HOP)
    except MalformedError as error:
        if error.head is not None:
            response(error.head, _HOP, error.code, tag="t")
        return
    if isinstance(received, Response):
        challenges(received)
        return
    inspect(received)
    return_hop(received)
    answer = response(received.head, _HOP, 200, tag="ours")
    assert b"\r\n\r\n" in answer
    try:
        dialog = Dialog.of_request(received, "ours")
    except ValueError:
        return
    bytes(dialog.request("BYE", "192.0.2.2:5060"))


def description(data: bytes) -> None:
    """A body: parsed and rewritten; what is rewritten is parsed again to the same media."""
    try:
        parsed = sdp.parse(data)
    except sdp.SdpError:
        return
    sdp.remote_streams(parsed, latch=False)
    again = sdp.parse(sdp.rewrite(parsed, _LOCAL, 1, 1))
    assert [media.kind for media in again.media] == [media.kind for media in parsed.media]


def line(data: bytes) -> None:
    """Header lines cut out of anything, for the answer to what cannot be parsed."""
    salvage(data)


TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "message": (message, [torture.message for torture in ALL]),
    "description": (description, [_SDP, *(torture.message.partition(b"\r\n\r\n")[2] for torture in ALL)]),
    "line": (line, [torture.message for torture in ALL]),
}


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        raise SystemExit(f"which target? one of {', '.join(TARGETS)}")
    name = sys.argv.pop(1)
    target, seeds = TARGETS[name]
    corpus = _CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.instrument_all()  # not its import hook: an editable installation's modules do not pass through that
    atheris.Setup([*sys.argv, "-max_len=20000", f"-artifact_prefix={_CORPUS}/{name}-", str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
