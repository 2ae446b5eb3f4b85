"""Writes the description that a leg gets of the other leg: with our addresses, ports, keys and
origin.

Rule 1: SRTP ends at each leg: no key of one leg is in the description of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import sdes
from b2bua.call.sdp.rewrite import rewrite_description
from b2bua.call.sdp.telephone_event import with_events, without_events
from media.events import Side
from media.stream_description import LocalStream


@dataclass(frozen=True, slots=True)
class Recipient:
    """The leg that a description is for.

    `remote`: its own description; None before its first. `encrypted`: its trunk has SRTP.
    `origin`, `version`: the session id and version of the description (RFC 8866 section 5.2).
    `generation`: how many legs had its place before.
    """

    side: Side
    remote: sdp.SessionDescription | None
    encrypted: bool
    origin: int
    version: int
    generation: int


def write_local(
    source: sdp.SessionDescription, to: Recipient, streams: Sequence[LocalStream], seed: bytes
) -> bytes:
    """The description of `source` for a leg. `streams`: where media listens for that leg, one an
    m-line; `seed`: of the call's SRTP keys."""
    cryptos = [_crypto_lines(to, index, media, seed) for index, media in enumerate(source.media)]
    muxed = [media.muxed for media in to.remote.media] if to.remote is not None else []
    return rewrite_description(source, streams, to.origin, to.version, cryptos, muxed)


def adapt_events(
    source: sdp.SessionDescription, to: Side, remote: sdp.SessionDescription | None, *, wants_events: bool
) -> sdp.SessionDescription:
    """The description with the telephone-events that a leg is to see in it. `remote`: that leg's
    own; `wants_events`: as in TrunkPolicy, of the agent's trunk."""
    if to is Side.AGENT:
        if wants_events:
            return with_events(source, remote)
        return source if remote is None else without_events(source, remote)
    if wants_events and remote is not None:
        source = without_events(source, remote)
    return with_events(source, remote)


def stream_key(seed: bytes, side: Side, index: int, suite: str, generation: int) -> bytes:
    """Our master key and salt for an m-line of a leg. `generation`: as in Recipient."""
    return sdes.derive_key(seed, f"{side.value} {index} {generation}", suite)


def _crypto_lines(
    to: Recipient, index: int, media: sdp.MediaDescription, seed: bytes
) -> tuple[str, ...] | None:
    """The `a=crypto` lines of one m-line: with the suite of the leg's own, or where it has none
    yet, as its trunk requires. None: the m-line stays as it is."""
    if not (media.is_rtp and media.is_open):
        return None
    own = to.remote.media[index] if to.remote is not None and index < len(to.remote.media) else None
    if own is None or not (own.is_rtp and own.is_open):
        if not to.encrypted:
            return ()
        return sdes.crypto_lines(
            {suite: stream_key(seed, to.side, index, suite, to.generation) for suite in sdes.SUITES}
        )
    crypto = own.crypto
    if crypto is None:
        return ()
    key = stream_key(seed, to.side, index, crypto.suite, to.generation)
    return (sdes.crypto_line(crypto.tag, crypto.suite, key),)
