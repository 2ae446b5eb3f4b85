"""Whom the reconciler obeys: processes of its own user, over a real unix socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest
import structlog

from provider_adapters.payment import FollowUp
from provider_adapters.reconciler.messages import (
    FromReconciler,
    Hello,
    Inquiry,
    LaterRequest,
    Noticed,
    Refused,
    WebhookRefusal,
)
from provider_adapters.reconciler.process import _Server
from provider_adapters.reconciler.reconciler import Reconciler
from provider_adapters.reconciler.refusals import WebhookRefusals
from tests.contract.playing import make_charge
from tonewall import unix_peer
from tonewall.frames import Unpacker, pack


class Deaf:
    """A reconciler that must not be asked anything."""

    def hello(self) -> Hello:
        return Hello(operations={"default": ()})

    def __getattr__(self, name: str) -> Callable[..., object]:
        raise AssertionError(f"it was asked for {name}")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "r.sock"
    server = _Server(cast("Reconciler", Deaf()))
    listening = await asyncio.get_running_loop().create_unix_server(server.connect, str(path))
    yield path
    listening.close()
    await server.close()


async def hear(path: Path, *messages: object) -> list[FromReconciler]:
    """What comes until the connection ends, or nothing more comes."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    heard: list[FromReconciler] = []
    unpacker = Unpacker(cast("type[FromReconciler]", FromReconciler))
    try:
        for each in messages:
            writer.write(pack(each))
        if not messages:
            writer.write_eof()
        while data := await reader.read(4096):
            heard += unpacker.feed(data)
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return heard


async def test_a_process_of_our_own_user_is_greeted(path: Path) -> None:
    assert await hear(path) == [Hello(operations={"default": ()})]


async def test_another_user_hears_nothing_and_is_not_obeyed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix_peer.os, "geteuid", lambda: os.getuid() + 1)
    refund = FollowUp(key="f-1", kind="refund", charge=make_charge(), reference="r", amount=1)
    request = LaterRequest(number=1, follow_up=refund)
    with structlog.testing.capture_logs() as lines:
        assert await hear(path, Inquiry(), request, Noticed(notices=())) == []
    [line] = lines
    assert (line["event"], line["pid"], line["log_level"]) == ("connection_refused", os.getpid(), "error")


def test_credentials_are_the_kernel_s(path: Path) -> None:
    ours = unix_peer.Credentials(os.getpid(), os.geteuid(), os.getegid())
    assert unix_peer.is_our_user(ours)
    assert not unix_peer.is_our_user(ours._replace(user=os.geteuid() + 1))


def test_refused_webhooks_are_added_up_for_providers_that_are_configured() -> None:
    refusals = WebhookRefusals(["default"])
    for provider in ("default", "default", "of-a-stranger"):
        refusals.add(Refused(provider=provider, counts={WebhookRefusal.STALE: 2}))
    assert refusals.counts == {"default": {WebhookRefusal.STALE: 4}}
