"""Passes keys that come as SIP INFO to the core, and reports what it says of keys that no capture
has."""

from __future__ import annotations

from media._core import CODE, PASSED
from media.events import AgentKeyed, CodeKeyed, KeysPassed, SendKey
from media.service.relayed_session import RelayedSession
from media.service.session_protocol import SessionProtocol


def _take_agent_key(session: SessionProtocol, command: AgentKeyed) -> str | None:
    """Why the customer may get it, where that is so."""
    if not isinstance(session, RelayedSession) or not session.streams:
        return "nothing is relayed there by the own core"
    try:
        kept = session.relay.agent_key(session.streams[0], command.body)
    except ValueError:
        return "a SIP INFO was not understood"
    return None if kept else "it is part of no feature code"


def pass_key(session: SessionProtocol, command: SendKey | AgentKeyed) -> str | None:
    """Why a key that came as SIP INFO is refused, where it is."""
    if isinstance(command, SendKey):
        return _send_key(session, command)
    return _take_agent_key(session, command)


def news_of_keys(session: SessionProtocol, stream: int, kind: int) -> CodeKeyed | KeysPassed | None:
    """What a notice of the core says: keys of the customer's pass, or a feature code waits."""
    if kind == PASSED:
        return KeysPassed(session=session.id)
    return _take_code(session, stream) if kind == CODE else None


def _take_code(session: SessionProtocol, stream: int) -> CodeKeyed | None:
    code = session.relay.take_code(stream) if isinstance(session, RelayedSession) else ""
    return CodeKeyed(session=session.id, code=code) if code else None


def _send_key(session: SessionProtocol, command: SendKey) -> str | None:
    """Why it is not sent, where it is not."""
    if not isinstance(session, RelayedSession) or command.stream >= len(session.streams):
        return "nothing is relayed there by the own core"
    try:
        sent = session.send_key(command.stream, command.body, command.payload_type, command.clock_rate)
    except ValueError:
        return "a SIP INFO was not understood"
    return None if sent else "the session is masked, or too many keys wait"
