"""`tonewall capture`: writes the messages of a call as a capture file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from b2bua.commands.api_client import ApiClient
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.ladder import full_id
from b2bua.ladder.capture_file import write_capture
from b2bua.ladder.view import LadderSummary, LadderView


def capture(
    call: Annotated[
        str,
        typer.Argument(
            metavar="CALL-ID",
            help="Tonewall's id of the call, its first characters, or a SIP Call-ID.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write, such as call.pcapng.")],
    config: ConfigFile = None,
    url: Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")] = "",
) -> None:
    """Write the SIP messages of a call into a file that Wireshark opens, for a peer's support: made
    from the call's ladder, without numbers, keys, credentials and audio."""
    api = ApiClient.for_config(config, url)
    found = full_id(call, api.fetch("/v1/ladders", list[LadderSummary]))
    view = api.fetch(f"/v1/calls/{quote(found, safe='')}/ladder", LadderView)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(write_capture(view))
    except OSError as error:
        give_up(f"{output}: {error.strerror or 'cannot be written'}")
