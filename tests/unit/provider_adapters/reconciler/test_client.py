"""The face of the reconciler over a real unix socket, whose other end the test plays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest

from provider_adapters.payment import Operation
from provider_adapters.reconciler.client import ReconcilerClient
from provider_adapters.reconciler.messages import Hello, ToReconciler
from tests.stack import until
from tonewall.frames import FrameConnection


class Played:
    """The reconciler's end. `answer` gets each message and the connection that it came on."""

    def __init__(self) -> None:
        self.connections: list[FrameConnection[ToReconciler]] = []
        self.answer: Callable[[FrameConnection[ToReconciler], ToReconciler], None] = lambda *_: None
        self.hello: Hello | None = Hello(operations={"north": (Operation.CHARGE,)})

    def connect(self) -> FrameConnection[ToReconciler]:
        connection: FrameConnection[ToReconciler] = FrameConnection(
            cast("type[ToReconciler]", ToReconciler), lambda message: self.answer(connection, message)
        )
        connection.made = lambda _: self._greet(connection)
        return connection

    def _greet(self, connection: FrameConnection[ToReconciler]) -> bool:
        self.connections.append(connection)
        if self.hello is not None:
            connection.send(self.hello)
        return True


@pytest.fixture
async def played(tmp_path: Path) -> AsyncIterator[tuple[Played, ReconcilerClient]]:
    other = Played()
    server = await asyncio.get_running_loop().create_unix_server(other.connect, str(tmp_path / "r.sock"))
    client = ReconcilerClient(tmp_path / "r.sock", lambda _: None)
    running = asyncio.create_task(client.run(0.01))
    await until(lambda: other.connections, "the connection")
    yield other, client
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    server.close()


async def test_the_operations_are_known_from_the_first_word_on_and_stay_over_a_loss(
    played: tuple[Played, ReconcilerClient],
) -> None:
    other, client = played
    await until(lambda: client.operations() is not None, "the first word")
    assert client.operations() == client.operations("north") == {Operation.CHARGE}
    assert client.operations("south") is None
    other.hello = None
    other.connections[0].close()
    await until(lambda: len(other.connections) == 2, "another connection")
    assert client.operations() == {Operation.CHARGE}
