"""Says what so many calls at once need: a simulation by discrete events over costs that were
measured.

Rule 1: instances carry as many calls as docs/sizes.md plans, and there is one more, so that one may
        end.
Rule 2: calls come at random and last at random (exponentially both). The edge gives each to an
        instance by its Call-ID: as unevenly as chance has it.
Rule 3: signalling of an instance, and Redis, do one thing after another. What comes meanwhile
        waits.
Rule 4: nothing else is in it: no network, no database, no payment, no agents' page. The same number
        of calls gives the same figures.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import Final

PLANNED_CALLS: Final = 1000
"""Calls of an instance with one core of media: docs/sizes.md."""
EDGE_PROCESSES: Final = 4
"""`children` of kamailio.cfg, each of which uses a core at most."""
_GATHER: Final = 0.02
_BEAT: Final = 1.0  # seconds, as in b2bua/shared/instances.py
_SET_UP: Final = 0.6  # of a call's signalling; the rest is at its end


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU time in µs. Each field names where it was measured."""

    packet: float = field(default=6.82, metadata={"from": "`mixed_relay_cpu_us_per_packet`"})
    call: float = field(default=2600.0, metadata={"from": "`b2bua_cpu_ms_per_call_at_20`"})
    kept_call: float = field(default=742.0, metadata={"from": "`kept_call_cpu_us`"})
    instance_beat: float = field(default=300.0, metadata={"from": "`make shared-costs`"})
    instance_beat_each: float = field(default=10.0, metadata={"from": "`make shared-costs`"})
    instance_message: float = field(default=60.0, metadata={"from": "`make shared-costs`"})
    redis_beat: float = field(default=120.0, metadata={"from": "`make shared-costs`"})
    redis_beat_each: float = field(default=0.8, metadata={"from": "`make shared-costs`"})
    redis_message: float = field(default=3.3, metadata={"from": "`make shared-costs`"})
    edge_pass: float = field(default=400.0, metadata={"from": "`make shared-costs`"})


@dataclass(frozen=True, slots=True)
class Needs:
    """What so many calls at once need. Of a core, 1 is all of its time: `media` and `signalling`
    are of the fullest instance. `beats`: writes of all instances to Redis, a second; waits in
    seconds, which one in a hundred exceeds."""

    calls: int
    instances: int
    media: float
    signalling: float
    redis: float
    edge: float
    beats: float
    invite_wait: float
    beat_wait: float

    @property
    def shares(self) -> dict[str, float]:
        """How full each part is: 1 is full."""
        return {
            "media": self.media,
            "signalling": self.signalling,
            "Redis": self.redis,
            "edge": self.edge / EDGE_PROCESSES,
        }


class _Server:
    """One that does things in turn; times in seconds."""

    def __init__(self) -> None:
        self._at = self._backlog = self.busy = 0.0

    def do(self, now: float, work: float, before: float = 0.0) -> float:
        """Add work, and `before`, which has come evenly since the last time; how long it waits."""
        self._backlog = max(0.0, self._backlog + before - (now - self._at))
        waited, self._at = self._backlog, now
        self._backlog += work
        self.busy += work + before
        return waited


class _Simulation:
    """Instances with their calls, Redis and the edge, event by event."""

    def __init__(self, calls: int, talk: float, costs: Costs) -> None:
        self._costs, self._talk, self._rate = costs, talk, calls / talk
        self._chance = random.Random(calls)
        self.count = math.ceil(calls / PLANNED_CALLS) + 1
        self.signalling = [_Server() for _ in range(self.count)]
        self.redis = _Server()
        self.up, self.fullest = [0] * self.count, 0
        self.invite_waits: list[float] = []
        self.beat_waits: list[float] = []
        self._heard = [0] * self.count
        self._due = [0.0] * self.count
        self._queue: list[tuple[float, str, int]] = []
        for _ in range(calls):
            self._begin(0.0)
        for at in range(self.count):
            self._beat_at(self._chance.uniform(0, _BEAT), at)
        self._queue.append((self._chance.expovariate(self._rate), "invite", 0))
        heapq.heapify(self._queue)

    def run(self, seconds: float) -> None:
        """Until then."""
        while self._queue[0][0] < seconds:
            now, what, at = heapq.heappop(self._queue)
            if what == "beat":
                if self._due[at] == now:  # else it has beaten earlier, for a change
                    self._beat(now, at)
                continue
            if what == "invite":
                heapq.heappush(self._queue, (now + self._chance.expovariate(self._rate), "invite", 0))
                at = self._begin(now)
                self.invite_waits.append(self._signal(now, at, self._call_cost() * _SET_UP))
            else:
                self.up[at] -= 1
                self._signal(now, at, self._call_cost() * (1 - _SET_UP))
            if self._due[at] > now + _GATHER:
                self._beat_at(now + _GATHER, at)

    def _call_cost(self) -> float:
        return self._costs.call + self._costs.kept_call

    def _begin(self, now: float) -> int:
        at = self._chance.randrange(self.count)
        heapq.heappush(self._queue, (now + self._chance.expovariate(1 / self._talk), "bye", at))
        self.up[at] += 1
        self.fullest = max(self.fullest, self.up[at])
        return at

    def _beat_at(self, when: float, at: int) -> None:
        self._due[at] = when
        heapq.heappush(self._queue, (when, "beat", at))

    def _beat(self, now: float, at: int) -> None:
        costs = self._costs
        self._signal(now, at, costs.instance_beat + self.count * costs.instance_beat_each)
        each = costs.redis_beat_each + costs.redis_message
        self.beat_waits.append(self.redis.do(now, (costs.redis_beat + self.count * each) / 1e6))
        self._beat_at(now + _BEAT, at)

    def _signal(self, now: float, at: int, work: float) -> float:
        """Work of signalling, µs, behind the messages of others' beats that came since."""
        heard, self._heard[at] = len(self.beat_waits) - self._heard[at], len(self.beat_waits)
        return self.signalling[at].do(now, work / 1e6, heard * self._costs.instance_message / 1e6)


def simulate(calls: int, talk: float = 180.0, seconds: float = 10.0, costs: Costs | None = None) -> Needs:
    """`talk`: seconds that a call lasts in the mean; `seconds`: how long is simulated, from a
    moment when so many calls are up."""
    costs = costs or Costs()
    made = _Simulation(calls, talk, costs)
    made.run(seconds)
    return Needs(
        calls=calls,
        instances=made.count,
        media=made.fullest * 100 * costs.packet / 1e6,  # 50 packets a second, each way
        signalling=max(each.busy for each in made.signalling) / seconds,
        redis=made.redis.busy / seconds,
        edge=2 * len(made.invite_waits) / seconds * costs.edge_pass / 1e6,  # on its way there, and from there
        beats=len(made.beat_waits) / seconds,
        invite_wait=_nearly_all(made.invite_waits),
        beat_wait=_nearly_all(made.beat_waits),
    )


def _nearly_all(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if values else 0.0
