"""Holds back SDP answers until media accepts the peer's address; the peer's first packets would be
dropped otherwise.

Rule 1: a command that lets a peer send waits until media has answered the SetRemote before it. A
        later command to that leg waits behind it.
Rule 2: the end of a leg, requests within it and the refusal of a re-INVITE wait for nothing.
Rule 3: voice fails open: after TIMEOUT the commands are sent all the same. The mask does not depend
        on this; media decides on it alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from b2bua.call import leg_command
from b2bua.call.command import CallCommand, ReplaceLeg, ToLeg, ToMedia
from media.events import SetRemote, Side

TIMEOUT = 3.0  # seconds; an rtpengine server that does not answer is given up after two
_ENDS = (leg_command.HangUpLeg, leg_command.RejectLeg)
_UNORDERED = (
    leg_command.NotifyLeg,
    leg_command.AnswerReferral,
    leg_command.RequestLeg,
    leg_command.RespondLeg,
    leg_command.InviteLeg,
    leg_command.RejectReinvite,
)


def _lets_send(command: leg_command.LegCommand) -> bool:
    if isinstance(command, leg_command.RingLeg):
        return bool(command.answer)
    return isinstance(command, leg_command.AnswerLeg | leg_command.ConfirmLeg | leg_command.AnswerReinvite)


@dataclass(frozen=True, slots=True)
class HeldCommand:
    """A command that waits for the answer to the SetRemote with this mark."""

    side: Side
    command: leg_command.LegCommand
    mark: int


@dataclass(slots=True)
class MediaGate:
    """The commands of one call that wait, in the order in which they are to be sent."""

    waiting: list[HeldCommand] = field(default_factory=list)
    _mark: int = 0  # of the newest SetRemote that a command waits for
    _deadline: float | None = None

    def deadline(self) -> float | None:
        """When `expire` is due."""
        return self._deadline

    def hold_back(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """Return the commands that need not wait. A SetRemote that others wait for gets a mark."""
        passed: list[CallCommand] = []
        set_remote: int | None = None  # the place of the newest SetRemote in `passed`
        for command in commands:
            match command:
                case ToMedia(SetRemote()):
                    set_remote = len(passed)
                    passed.append(command)
                case ReplaceLeg(side):
                    self.drop_side(side)
                    passed.append(command)
                case ToLeg(side, end) if isinstance(end, _ENDS):
                    self.drop_side(side)
                    passed.append(command)
                case ToLeg(_, answer) if set_remote is not None and _lets_send(answer):
                    passed[set_remote] = self._marked(passed[set_remote])
                    self._hold(command, now)
                case ToLeg(side, later) if not isinstance(later, _UNORDERED) and self.holds(side):
                    self._hold(command, now)
                case _:
                    passed.append(command)
        return passed

    def _marked(self, command: CallCommand) -> CallCommand:
        assert isinstance(command, ToMedia)
        assert isinstance(command.command, SetRemote)
        if command.command.mark:
            return command
        self._mark += 1
        return ToMedia(msgspec.structs.replace(command.command, mark=self._mark))

    def _hold(self, command: ToLeg, now: float) -> None:
        self.waiting.append(HeldCommand(command.side, command.command, self._mark))
        self._deadline = self._deadline or now + TIMEOUT

    def holds(self, side: Side) -> bool:
        """Whether a command to that side's leg waits."""
        return any(each.side is side for each in self.waiting)

    @property
    def newest(self) -> int:
        """The mark of the newest SetRemote that a command waits for; 0: none ever did."""
        return self._mark

    def remote_set(self, mark: int) -> list[ToLeg]:
        """Release the commands for which media has answered: those up to this mark."""
        return self._release([each for each in self.waiting if each.mark <= mark])

    def expire(self, now: float) -> list[ToLeg]:
        """Release every command where media is too slow."""
        if self._deadline is None or now < self._deadline:
            return []
        return self._release(list(self.waiting))

    def drop_reinvite_answer(self, side: Side) -> None:
        """Drop the answer to a re-INVITE that its peer cancelled."""
        self._keep([each for each in self.waiting if not _answers_reinvite(each, side)])

    def drop_side(self, side: Side) -> None:
        """Drop the commands to a side whose leg is over, or replaced."""
        self._keep([each for each in self.waiting if each.side is not side])

    def _release(self, due: list[HeldCommand]) -> list[ToLeg]:
        self._keep([each for each in self.waiting if each not in due])
        return [ToLeg(each.side, each.command) for each in due]

    def _keep(self, waiting: list[HeldCommand]) -> None:
        self.waiting = waiting
        if not waiting:
            self._deadline = None


def _answers_reinvite(held: HeldCommand, side: Side) -> bool:
    return held.side is side and isinstance(held.command, leg_command.AnswerReinvite)
