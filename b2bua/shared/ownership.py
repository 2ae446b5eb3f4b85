"""Who owns the name of an instance: a fencing token in Redis.

Rule 1: a token is drawn when a name is taken that nobody holds, and is higher than each before it:
        also than those that a Redis has lost, which does not know them, since it follows its clock.
Rule 2: each script that writes under a name compares the token first. Who was cut off, or slept,
        while another took the name writes nothing.
Rule 3: a token is of a holder: of all b2buas that go on with one another's calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.shared.connection import text_of
from b2bua.shared.presence import LEASE

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX: Final = "tonewall"
NAMES: Final = f"{PREFIX}:instances"
"""The key with the names of all."""
CHANNEL: Final = f"{PREFIX}:changes"
NOBODY: Final = 0
"""The token of who owns nothing."""
_HELD: Final = "held"
_PASSED_ON: Final = "passed on"
# Sets the presence of the owner, or of whoever comes where nobody holds the name, and returns the
# token. Numbers of Lua have 53 bits, as many as microseconds since the epoch need until 2255.
_HOLD: Final = """
local held, holder = redis.call('GET', KEYS[1]), nil
if held then
  local ok, presence = pcall(cjson.decode, held)
  if ok and type(presence) == 'table' then holder = presence.holder end
end
local token = tonumber(redis.call('GET', KEYS[3]) or '') or 0
local own = tonumber(ARGV[6])
if own > 0 and token > 0 and token ~= own then return 'passed on' end
if holder and holder ~= ARGV[1] then return 'held' end
if own == 0 and holder then own = token end
if own == 0 then
  local now = redis.call('TIME')
  own = math.max(token + 1, tonumber(now[1]) * 1000000 + tonumber(now[2]))
end
local text = string.format('%.0f', own)
redis.call('SET', KEYS[3], text)
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[2])
return text
"""
# Ends a presence, where it is the owner's.
_END: Final = """
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1
"""


class Ownership:
    """Whether a name is ours. `holder`: who we are beside others of that name; `token`: what the
    process before us had of the same holder."""

    def __init__(self, redis: Redis, name: str, holder: str, token: int = NOBODY) -> None:
        self._redis, self._name, self.holder, self.token = redis, name, holder, token

    async def hold(self, presence: bytes) -> bool:
        """Take the name, or keep it, with this presence; whether it is ours. Raises RedisError,
        OSError."""
        found = text_of(
            await self._redis.eval(
                _HOLD, 3, *self._keys(), self.holder, presence,
                int(LEASE * 1000), self._name, CHANNEL, self.token,
            )
        )  # fmt: skip
        self.token = int(found) if found not in (_HELD, _PASSED_ON) else NOBODY
        return self.token != NOBODY

    async def end(self) -> None:
        """Give the name up, where it is ours. Raises RedisError, OSError."""
        if self.token != NOBODY:
            await self._redis.eval(_END, 3, *self._keys(), self.token, self._name, CHANNEL)

    def _keys(self) -> tuple[str, str, str]:
        return instance_key(self._name), NAMES, token_key(self._name)


def instance_key(name: str) -> str:
    """Where the presence of an instance stands."""
    return f"{PREFIX}:instance:{name}"


def token_key(name: str) -> str:
    """Where the newest token of a name stands."""
    return f"{PREFIX}:token:{name}"
