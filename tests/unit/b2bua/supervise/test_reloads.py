"""A reload by the supervisor: one at a time, whole or not at all, and who may ask for one."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from b2bua.doctor.startup import read_again
from b2bua.supervise.child import channel_pair
from b2bua.supervise.control import CONTROL, ask_for_reload, ask_for_upgrade, control
from b2bua.supervise.reloads import ReloadResult, Reloads
from b2bua.supervise.signalling_channel import SignallingChannel
from b2bua.supervise.upgrades import Progress, UpgradeResult
from b2bua.switchboard.pulse import Pulse
from b2bua.switchboard.supervised import Reloaded, ReloadSettings, connected
from tests.changed_settings import read


class B2bua:
    """A b2bua that answers, and may be away."""

    def __init__(self, why: str = "", *, lives: bool = True) -> None:
        self.why, self.lives = why, lives
        self.asked: list[tuple[ReloadSettings, dict[str, str]]] = []

    async def reload(self, request: ReloadSettings, environment: dict[str, str]) -> Reloaded:
        self.asked.append((request, environment))
        await asyncio.sleep(0)
        return Reloaded(why=self.why)


def reloads(directory: Path, b2bua: B2bua) -> Reloads:
    return Reloads(read(directory, {}), lambda: read_again(directory / "sip.conf"), b2bua)


async def test_b2bua_gets_what_has_changed_and_nothing_of_the_provider(tmp_path: Path) -> None:
    found = reloads(tmp_path, b2bua := B2bua())
    assert await found.reload("SIGHUP") == ReloadResult()
    assert b2bua.asked == []  # nothing has changed
    read(tmp_path, {"carrier": {"max_calls": "3"}, "provider": {"api_key": "sk-after"}})
    assert await found.reload("root") == ReloadResult(
        reloaded=("[carrier] max_calls",), restart=("[provider] api_key",)
    )
    [(request, environment)] = b2bua.asked
    assert request == ReloadSettings(by="root", reloaded=("[carrier] max_calls",))
    assert environment["TONEWALL_CARRIER_MAX_CALLS"] == "3"
    assert "sk-" not in "".join(environment.values())
    assert found.settings.signalling.trunks["carrier"].max_calls == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"carrier": {"max_calls": "many"}}, "[carrier] max_calls"),
        ({"api": {"tokens": "ann:short"}}, "[api] tokens"),
        ({"general": {"unheard_of": "1"}}, "[general] unheard_of"),
    ],
)
async def test_a_file_with_a_fault_changes_nothing(
    tmp_path: Path, change: dict[str, dict[str, str] | None], why: str
) -> None:
    found = reloads(tmp_path, b2bua := B2bua())
    before = found.settings
    text = (tmp_path / "sip.conf").read_text()
    section, keys = next(iter(change.items()))
    assert keys is not None
    lines = [f"{key} = {value}" for key, value in keys.items()]
    kept = [line for line in text.splitlines() if line.partition(" = ")[0] not in keys]
    (tmp_path / "sip.conf").write_text(
        "\n".join(kept).replace(f"[{section}]", "\n".join([f"[{section}]", *lines]))
    )
    result = await found.reload("SIGHUP")
    assert any(line.startswith(why) for line in result.faults)
    assert found.settings is before
    assert b2bua.asked == []


async def test_what_b2bua_refuses_is_not_in_force_and_one_that_is_away_has_it_at_its_start(
    tmp_path: Path,
) -> None:
    found = reloads(tmp_path, B2bua(why="it cannot be"))
    before = found.settings
    read(tmp_path, {"carrier": {"max_calls": "3"}})
    assert (await found.reload("SIGHUP")).faults == ("it cannot be",)
    assert found.settings is before
    found = reloads(tmp_path, b2bua := B2bua(lives=False))
    read(tmp_path, {"carrier": {"max_calls": "3"}})
    assert (await found.reload("SIGHUP")).reloaded == ("[carrier] max_calls",)
    assert b2bua.asked == []
    assert found.settings.signalling.trunks["carrier"].max_calls == 3
    found.ending = True
    assert (await found.reload("SIGHUP")).faults


async def test_many_at_once_are_one_after_another(tmp_path: Path) -> None:
    found = reloads(tmp_path, b2bua := B2bua())
    read(tmp_path, {"carrier": {"max_calls": "3"}})
    results = await asyncio.gather(*(found.reload("SIGHUP") for _ in range(10)))
    assert [bool(each.reloaded) for each in results] == [True] + [False] * 9
    assert len(b2bua.asked) == 1


async def test_the_answer_of_b2bua_comes_by_its_socket_and_its_end_is_one() -> None:
    pulses: list[Pulse] = []
    channel = SignallingChannel(pulses.append)
    ours, theirs = channel_pair()
    with ours, channel.following(ours), connected(theirs.detach(), lambda *_: Reloaded(why="so")):
        assert await channel.reload(ReloadSettings(by="root"), {"A": "b"}) == Reloaded(why="so")
    ours, theirs = channel_pair()
    with ours, theirs:
        with channel.following(ours):
            asking = asyncio.create_task(channel.reload(ReloadSettings(by="root"), {}))
            await asyncio.sleep(0)
        with pytest.raises(OSError, match="ended"):
            await asking
    with pytest.raises(OSError, match="away"):
        await channel.reload(ReloadSettings(by="root"), {})


class NoUpgrades:
    """Says what it is asked for, and refuses."""

    async def upgrade(self, by: str, patience: float, progress: Progress) -> UpgradeResult:
        await progress(f"{by} waits {patience:.0f} s")
        return UpgradeResult(faults=("not now",))


async def test_a_command_asks_by_a_socket_of_its_own_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def reload(user: str) -> ReloadResult:
        asked.append(user)
        return ReloadResult(reloaded=("[route one]",))

    async with control(tmp_path, reload, NoUpgrades()):
        assert (tmp_path / CONTROL).stat().st_mode & 0o777 == 0o600
        result = await asyncio.to_thread(ask_for_reload, tmp_path, 30.0)
        assert result == ReloadResult(reloaded=("[route one]",))
        steps: list[str] = []
        upgraded = await asyncio.to_thread(ask_for_upgrade, tmp_path, 7.0, 30.0, steps.append)
        assert upgraded == UpgradeResult(faults=("not now",))
        assert steps == [f"{asked[0]} waits 7 s"]
        for rubbish in (b"{}\n", b"x" * 10_000 + b"\n", b'{"what":"end"}\n', b""):
            with socket.socket(socket.AF_UNIX) as end:
                end.connect(str(tmp_path / CONTROL))
                end.sendall(rubbish)
                end.shutdown(socket.SHUT_WR)
                end.setblocking(False)
                assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(end, 100), 30) == b""
        assert len(asked) == 1
        monkeypatch.setattr("b2bua.supervise.control._user", lambda _writer: None)
        with pytest.raises((OSError, msgspec.DecodeError)):
            await asyncio.to_thread(ask_for_reload, tmp_path, 30.0)
        assert len(asked) == 1
    with pytest.raises(OSError, match="No such file"):
        ask_for_reload(tmp_path, 1.0)
