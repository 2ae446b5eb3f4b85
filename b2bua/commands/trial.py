"""Says of the installed code whether it can go on with a running Tonewall.

The supervisor starts it as `python -m tonewall.start b2bua.commands.trial --fd FD [-c FILE]`, with
its own environment and the file of kept calls. It is of the new version, its supervisor of the old.

Rule 1: it changes nothing.
"""

from __future__ import annotations

import argparse
import os
import socket
import time
from pathlib import Path

import msgspec

from b2bua.call.schema import READS, SCHEMA
from b2bua.doctor import startup
from b2bua.supervise import run as supervisor
from b2bua.supervise.trial_report import TrialReport
from b2bua.switchboard.call_slots import CALLS
from b2bua.switchboard.kept_trial import try_calls
from tonewall.descriptors import take_table
from tonewall.ini import ConfigError
from tonewall.interface import INTERFACE
from tonewall.process import end_with_parent, ignore_hangup
from tonewall.version import VERSION

LOADED = (supervisor,)  # what takes over from the running one: it can be imported


def examine(config: Path | None, calls: int | None) -> TrialReport:
    """The report. `calls`: the descriptor of their file, where there is one."""
    faults: tuple[str, ...] = ()
    try:
        startup.read_again(config)
    except ConfigError as error:
        faults = tuple(str(error).splitlines())
    count, unreadable = try_calls(calls, time.monotonic()) if calls is not None else (0, ())
    return TrialReport(
        version=VERSION, interface=INTERFACE, schema=SCHEMA, reads=READS,
        faults=faults, calls=count, unreadable=unreadable,
    )  # fmt: skip


def main() -> None:
    """The process's entry point."""
    parser = argparse.ArgumentParser(prog="python -m b2bua.commands.trial")
    parser.add_argument("--fd", type=int, required=True, help="the socket for the report")
    parser.add_argument("-c", "--config", type=Path, help="sip.conf")
    arguments = parser.parse_args()
    ignore_hangup()
    end_with_parent()
    inherited = take_table(os.environ)
    report = examine(arguments.config, inherited.get(CALLS))
    with socket.socket(fileno=arguments.fd) as end:
        end.sendall(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
