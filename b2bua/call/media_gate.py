"""What a leg is told once media knows who speaks: an answer sent sooner has its first packets
dropped as a stranger's.

Rule 1: what lets a peer send waits until media has answered the SetRemote before it; what follows
        to that leg waits behind it.
Rule 2: the end of a leg, requests within it and the refusal of a re-INVITE wait for nothing.
Rule 3: voice fails open: after `TIMEOUT` what waits is said all the same. The mask is not
        concerned; media decides on it alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from b2bua.call import leg
from b2bua.call.command import CallCommand, ReplaceLeg, ToLeg, ToMedia
from media.events import SetRemote, Side

TIMEOUT = 3.0  # seconds; an rtpengine server that does not answer is given up after two
_ENDS = (leg.HangUpLeg, leg.RejectLeg)
_BESIDE = (
    leg.NotifyLeg,
    leg.AnswerReferral,
    leg.RequestLeg,
    leg.RespondLeg,
    leg.InviteLeg,
    leg.RejectReinvite,
)


def _lets_send(command: leg.LegCommand) -> bool:
    if isinstance(command, leg.RingLeg):
        return bool(command.answer)
    return isinstance(command, leg.AnswerLeg | leg.ConfirmLeg | leg.AnswerReinvite)


@dataclass(frozen=True, slots=True)
class HeldCommand:
    """`mark`: of the SetRemote whose answer it waits for."""

    side: Side
    command: leg.LegCommand
    mark: int


@dataclass(slots=True)
class MediaGate:
    """Those of one call that wait, in the order in which they are to be sent."""

    waiting: list[HeldCommand] = field(default_factory=list)
    _mark: int = 0  # of the newest SetRemote that something waits for
    _deadline: float | None = None

    def deadline(self) -> float | None:
        """When `expire` is due."""
        return self._deadline

    def hold_back(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The commands that need not wait. The SetRemote that others wait for has a mark."""
        left: list[CallCommand] = []
        described: int | None = None  # where in `left` the newest SetRemote is
        for command in commands:
            match command:
                case ToMedia(SetRemote()):
                    described = len(left)
                    left.append(command)
                case ReplaceLeg(side):
                    self.drop_side(side)
                    left.append(command)
                case ToLeg(side, ended) if isinstance(ended, _ENDS):
                    self.drop_side(side)
                    left.append(command)
                case ToLeg(_, told) if described is not None and _lets_send(told):
                    left[described] = self._marked(left[described])
                    self._hold(command, now)
                case ToLeg(side, told) if not isinstance(told, _BESIDE) and self.holds(side):
                    self._hold(command, now)
                case _:
                    left.append(command)
        return left

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
        """Whether anything waits for that side's leg."""
        return any(each.side is side for each in self.waiting)

    def remote_set(self, mark: int) -> list[ToLeg]:
        """Media has answered the SetRemote with this mark: what waits no longer."""
        return self._free([each for each in self.waiting if each.mark <= mark])

    def expire(self, now: float) -> list[ToLeg]:
        """Media is slow: nothing waits any longer."""
        return self._free(list(self.waiting)) if self._deadline is not None and now >= self._deadline else []

    def drop_reinvite_answer(self, side: Side) -> None:
        """The peer wants no answer to its re-INVITE any more."""
        self._keep(
            [
                each
                for each in self.waiting
                if each.side is not side or not isinstance(each.command, leg.AnswerReinvite)
            ]
        )

    def drop_side(self, side: Side) -> None:
        """That side's leg is over, or another one's."""
        self._keep([each for each in self.waiting if each.side is not side])

    def _free(self, ripe: list[HeldCommand]) -> list[ToLeg]:
        self._keep([each for each in self.waiting if each not in ripe])
        return [ToLeg(each.side, each.command) for each in ripe]

    def _keep(self, waiting: list[HeldCommand]) -> None:
        self.waiting = waiting
        if not waiting:
            self._deadline = None
