"""Holds the table of the fields that a log entry may have, with their meaning.

Rule 1: one thing has one name in all processes: an id of a call is `call`, whoever logs it.
Rule 2: a field that no entry uses is not in the table; a test fails for it.
Rule 3: no field is for a telephone number, a digit or a header's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class LogField(NamedTuple):
    """A row. `is_name`: its values are names, in which digits in a row are no telephone number."""

    meaning: str
    is_name: bool = False


FIELDS: Final[Mapping[str, LogField]] = {
    # every entry
    "timestamp": LogField("time in UTC (RFC 3339), with microseconds", is_name=True),
    "level": LogField("`debug`, `info`, `warning`, `error`", is_name=True),
    "process": LogField("the process that wrote it", is_name=True),
    "module": LogField("the module that wrote it; `tonewall log-level --module` selects by it", is_name=True),
    "event": LogField("what happened: a fixed name", is_name=True),
    # ids
    "call": LogField("id of a call, as `/v1/calls`, media and `tonewall ladder` have it", is_name=True),
    "leg": LogField("id of a leg of a call", is_name=True),
    "payment": LogField(
        "id of a payment, as `/v1/payments` and the provider have it; of a capture, void or refund,"
        " its own id where the process knows only that",
        is_name=True,
    ),
    "follow_up": LogField("id of a capture, void or refund", is_name=True),
    "delivery": LogField("id of a message to a service of `[webhook NAME]`", is_name=True),
    "credential": LogField("id of a key, certificate or token of a program", is_name=True),
    "stream": LogField("number of a media stream in its thread", is_name=True),
    # names of sip.conf, and of who is there
    "trunk": LogField("section of the trunk", is_name=True),
    "route": LogField("section of the route that decided", is_name=True),
    "provider": LogField("section of the payment provider", is_name=True),
    "prompts": LogField("name of a set of prompts"),
    "instance": LogField("our name among several Tonewalls, `[shared] instance`", is_name=True),
    "target": LogField("where a copy of the audit log goes"),
    "setting": LogField("section and key of sip.conf to look at", is_name=True),
    "agent": LogField("who asked for it: the name of a person or program"),
    "side": LogField("`caller` or `agent`; `joining`: a leg that is to replace one"),
    # what it is about
    "operation": LogField("operation of the API, as in [roles.md](roles.md)"),
    "method": LogField("method of an HTTP request, or how somebody signed in"),
    "kind": LogField("class of a command, event, message, webhook or follow-up"),
    "what": LogField("name of the thing that the event is about"),
    "child": LogField("process that the supervisor started"),
    "task": LogField("name of a background task"),
    "modules": LogField("modules whose level changed; `all`"),
    "pid": LogField("id of a process"),
    "signal": LogField("number of the signal that ended a process"),
    "status": LogField("exit status of a process"),
    "version": LogField("version of Tonewall", is_name=True),
    # where
    "peer": LogField("address of the other side", is_name=True),
    "address": LogField("address of ours", is_name=True),
    "port": LogField("port of `peer`, else of `address`"),
    "transport": LogField("SIP transport"),
    "path": LogField("path of a file or socket", is_name=True),
    "url": LogField("URL of ours", is_name=True),
    # how it went
    "state": LogField("state that was reached, or in which it happened"),
    "outcome": LogField("outcome of a charge or follow-up: `approved`, `declined`, …"),
    "claimed": LogField("outcome that a provider claims against `outcome`"),
    "code": LogField("SIP status code, or that of PJSIP"),
    "reason": LogField("reason as a fixed word"),
    "why": LogField("reason as a sentence"),
    "hint": LogField("what to do"),
    "count": LogField("how many"),
    "calls": LogField("current calls"),
    "sessions": LogField("current sessions of media"),
    "seconds": LogField("a time in seconds"),
    "error": LogField("class of an exception, without its text", is_name=True),
    "at": LogField("file and line that raised it", is_name=True),
    "dropped": LogField("number of fields that were not allowed, and were left out"),
}
