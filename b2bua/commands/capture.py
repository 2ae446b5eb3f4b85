"""`tonewall capture`: writes the messages of a call, and the headers of its packets, as a capture
file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn
from urllib.parse import quote

import typer

from b2bua.access.roles import Role
from b2bua.commands.api_client import OPERATORS, ApiClient, ApiFailure
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.ladder import full_id
from b2bua.ladder.capture_file import write_capture
from b2bua.ladder.pcapng import WholeBlocks
from b2bua.ladder.recording import with_end
from b2bua.ladder.view import LadderSummary, LadderView

_ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})
_SILENCE = 30.0  # seconds without a packet, after which the connection counts as lost
_LOST = 1  # the status where it is


def capture(
    call: Annotated[
        str,
        typer.Argument(
            metavar="CALL-ID",
            help="Tonewall's id of the call, its first characters, or a SIP Call-ID.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write, such as call.pcapng.")],
    rtp: Annotated[
        bool,
        typer.Option("--rtp", help="Record the headers of RTP and RTCP too, from now on, while it is up."),
    ] = False,
    seconds: Annotated[
        int, typer.Option(min=1, max=14400, help="With --rtp: how long, where the call goes on.")
    ] = 3600,
    size: Annotated[int, typer.Option(min=1, max=1000, help="With --rtp: megabytes of the file.")] = 100,
    config: ConfigFile = None,
    url: Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")] = "",
) -> None:
    """Write the SIP messages of a call into a file that Wireshark opens, for a peer's support: made
    from the call's ladder, without numbers, keys, credentials and audio. With --rtp, follow the
    call and write the headers of its packets as well, until it ends or Ctrl-C is pressed."""
    api = ApiClient.for_config(config, url, _ADMINISTRATOR if rtp else OPERATORS)
    found = quote(full_id(call, api.fetch("/v1/ladders", list[LadderSummary])), safe="")
    view = None if rtp else api.fetch(f"/v1/calls/{found}/ladder", LadderView)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            if view is not None:
                file.write(write_capture(view))
            else:
                _follow(api, f"/v1/calls/{found}/recording", {"seconds": seconds, "megabytes": size}, file)
    except OSError as error:
        give_up(f"{output}: {error.strerror or 'cannot be written'}")


class _FileFault(Exception):
    """The file cannot be written."""

    def __init__(self, why: OSError) -> None:
        super().__init__()
        self.why = why


def _follow(api: ApiClient, path: str, body: object, file: BinaryIO) -> None:
    """Write whole blocks alone: whatever ends the command, the file can be read. Raises OSError."""
    blocks = WholeBlocks()
    written = False

    def write(part: bytes) -> None:
        nonlocal written
        whole = blocks.feed(part)
        written = written or bool(whole)
        try:
            file.write(whole)
        except OSError as error:
            raise _FileFault(error) from None

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        api.stream(path, body, write, _SILENCE)
    except _FileFault as fault:
        raise fault.why from None
    except KeyboardInterrupt:
        file.write(with_end(_now_us(), "ended by whoever recorded it") if written else b"")
    except ApiFailure as failure:
        if not written:
            give_up(str(failure))
        file.write(with_end(_now_us(), "the connection to Tonewall was lost: the call may have gone on"))
        typer.echo(f"tonewall: the connection was lost; {file.name} has what came until then", err=True)
        raise typer.Exit(_LOST) from None


def _now_us() -> int:
    return round(time.time() * 1e6)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
