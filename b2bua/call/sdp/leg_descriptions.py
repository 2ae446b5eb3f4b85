"""Keeps the two descriptions of one leg (RFC 3264): the remote one of its peer, the local one of
ours."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import filters
from b2bua.call.sdp.comparison import same_media
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.local_description import Recipient, stream_key, write_local
from b2bua.call.sdp.remote_streams import remote_streams
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Side
from media.stream_description import LocalStream, RemoteStream, StreamKeys


@dataclass(slots=True)
class LegDescriptions:
    """The descriptions of one side's leg. `remote` and `local` are None before the first.

    `origin`, `version`: of the local description (RFC 8866 section 5.2). `seed`: the call's SRTP
    keys are derived from it. `generation`: how many legs had this side before. `streams`: where
    media listens for it, one an m-line. `offered_lines`: how many m-lines its peer offered last.
    `updated`: the newest offer of its peer came in an UPDATE before the answer. `ours`: its peer is
    an end of ours, to which no packet goes (`own_answer`).
    """

    side: Side
    origin: int
    seed: bytes = field(repr=False)
    policy: TrunkPolicy = field(default_factory=TrunkPolicy)
    streams: tuple[LocalStream, ...] = ()
    remote: sdp.SessionDescription | None = None
    local: bytes | None = None
    version: int = 0
    generation: int = 0
    offered_lines: int | None = None
    updated: bool = False
    ours: bool = False

    def list_known(self) -> list[sdp.SessionDescription]:
        """What the peer has sent, and what it may repeat because we sent it."""
        known = [self.remote] if self.remote is not None else []
        return [*known, sdp.parse_description(self.local)] if self.local is not None else known

    def set_offer(self, described: sdp.SessionDescription) -> None:
        """Store an offer of the peer."""
        self.offered_lines = len(described.media)
        self.set_answer(described)

    def set_answer(self, described: sdp.SessionDescription) -> None:
        """Store an answer of the peer."""
        self.remote = filters.pad_media(described, self.remote)

    def needs_streams(self) -> bool:
        """Whether the peer described m-lines that could be relayed, but have no ports."""
        return self.remote is not None and any(
            media.relayed for media in self.remote.media[len(self.streams) :]
        )

    def remote_streams(self) -> tuple[RemoteStream, ...]:
        """Where the peer sends and receives, as media needs it."""
        if self.remote is None:
            return ()
        keys = [self._stream_keys(index, media) for index, media in enumerate(self.remote.media)]
        streams = remote_streams(self.remote, latch=self.policy.latch, keys=keys)[: len(self.streams)]
        return (
            tuple(msgspec.structs.replace(each, port=0, rtcp_port=0) for each in streams)
            if self.ours
            else streams
        )

    def matches_local(self, source: sdp.SessionDescription) -> bool:
        """Whether the local description asks for the same media as `source` would."""
        return self.local is not None and same_media(
            sdp.parse_description(self.local), sdp.parse_description(self.write_description(source))
        )

    def write_description(self, source: sdp.SessionDescription) -> bytes:
        """The description of `source` for this leg, not stored."""
        if self.offered_lines is not None and self.remote is not None:
            source = filters.trim_media(source, self.offered_lines)
        return write_local(source, self._recipient(), self.streams, self.seed)

    def write_next(self, source: sdp.SessionDescription) -> bytes:
        """The same in a higher version."""
        self.version += 1
        return self.write_description(source)

    def set_local(self, source: sdp.SessionDescription) -> bytes:
        """Store the local description of `source`, in a higher version where it changes."""
        if self.local is None or self.local != self.write_description(source):
            self.local = self.write_next(source)
        return self.local

    def keep_local(self, body: bytes) -> None:
        """The peer still has this local description, not a newer one."""
        self.local = body
        origin = next(line for line in sdp.parse_description(body).lines if line.startswith("o="))
        # The next one is one higher (RFC 3264 section 8).
        self.version = int(origin.split()[2])

    # --- replacing the leg ------------------------------------------------------------------------

    def write_for_replacement(
        self, source: sdp.SessionDescription, *, encrypted: bool | None = None
    ) -> bytes:
        """The description of `source` for a new leg in this side's place. `encrypted`: whether its
        trunk has SRTP, where that is another trunk."""
        self.version += 1
        to = self._replacement()
        to = to if encrypted is None else replace(to, encrypted=encrypted)
        return write_local(source, to, self.streams, self.seed)

    def write_for_loaned(self, source: sdp.SessionDescription, loaned: LoanedLeg) -> bytes:
        """The same, for a leg that has a session in another call."""
        to = replace(
            self._replacement(),
            remote=loaned.remote,
            encrypted=loaned.policy.encrypted,
            origin=loaned.origin,
            version=loaned.version,
        )
        return write_local(source, to, self.streams, self.seed)

    def loan_leg(self, trunk: str) -> LoanedLeg:
        """This leg, for another call to make it an offer."""
        assert self.remote is not None
        self.version += 1
        return LoanedLeg(trunk, self.policy, self.remote, self.origin, self.version)

    def replace_peer(self, remote: sdp.SessionDescription, loaned: LoanedLeg | None) -> None:
        """Another leg is the side's, with this remote description. `loaned`: it was another
        call's."""
        if loaned is not None:
            self.origin, self.version = loaned.origin, loaned.version
        self.remote, self.local, self.offered_lines = remote, None, None
        self.ours = False
        self.generation += 1

    # --- inside -----------------------------------------------------------------------------------

    def _recipient(self) -> Recipient:
        return Recipient(
            self.side, self.remote, self.policy.encrypted, self.origin, self.version, self.generation
        )

    def _replacement(self) -> Recipient:
        return replace(self._recipient(), remote=None, generation=self.generation + 1)

    def _stream_keys(self, index: int, media: sdp.MediaDescription) -> StreamKeys | None:
        crypto = media.crypto
        if crypto is None:
            return None
        ours = stream_key(self.seed, self.side, index, crypto.suite, self.generation)
        return StreamKeys(suite=crypto.suite, peer=crypto.key, ours=ours)
