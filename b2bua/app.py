"""Runs the b2bua process: its wiring, and nothing else.

`tonewall run` starts it as `python -m tonewall.start b2bua.app --media SOCKET [--demo SOCKET]
[--pulse FD]`, with its settings in the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

import msgspec
import uvloop
from fastapi import FastAPI

from b2bua.access.tokens import Tokens
from b2bua.api.authenticators import build_authenticators, build_tokens
from b2bua.api.bound_socket import take_socket
from b2bua.api.demo import Demo
from b2bua.api.http import create_app
from b2bua.api.metrics import Metrics
from b2bua.api.server import Serving, serve
from b2bua.api.sip_metrics import WatchedEngine
from b2bua.api.tls import open_tls
from b2bua.api.ways_in import open_ways_in
from b2bua.call.prepared_desk import Desk
from b2bua.call.snapshot import KINDS as CALLS_KINDS
from b2bua.config.access import build_authority
from b2bua.config.assembly import (
    build_forms,
    build_pseudonyms,
    trunk_policies,
)
from b2bua.config.audit_log import build_recorder, end_log
from b2bua.config.origins import parse_origins
from b2bua.config.page_messages import read_messages
from b2bua.config.payment_table import open_payments
from b2bua.config.reading import read_signalling
from b2bua.config.settings import SignallingSettings
from b2bua.config.webhooks import build_endpoints, event_source
from b2bua.ladder.ladders import Ladders
from b2bua.personal_data.desk import PersonalData
from b2bua.records.payment_counts import PaymentCounts
from b2bua.records.store import RecordStore, StoreError, connect
from b2bua.sip.snapshot import KINDS as LEGS_KINDS
from b2bua.sip.transport.bound_sockets import take_sockets
from b2bua.switchboard.call_counts import CallCounts
from b2bua.switchboard.call_slots import CALLS
from b2bua.switchboard.draining import Drain
from b2bua.switchboard.end import End
from b2bua.switchboard.housekeeping import count_sessions
from b2bua.switchboard.interfaces import RunningEngine
from b2bua.switchboard.link_service import LinkPolicy
from b2bua.switchboard.packet_recordings import PacketRecordings
from b2bua.switchboard.payment_notices import NoticePolicy
from b2bua.switchboard.receipts import Receipts
from b2bua.switchboard.statistics import Statistics
from b2bua.switchboard.switchboard import Switchboard
from b2bua.switchboard.webhooks import Webhooks
from b2bua.telemetry.telemetry import open_telemetry
from b2bua.wiring.engine import build_engine
from b2bua.wiring.hand_over import hand_over
from b2bua.wiring.housekeeping import start_housekeeping
from b2bua.wiring.media_renewal import MediaRenewal
from b2bua.wiring.plan import build_plan
from b2bua.wiring.reload import Reload
from b2bua.wiring.shared import open_shared
from b2bua.wiring.start import start_calls
from b2bua.wiring.supervised import follow_supervisor
from media.client import MediaClient
from media.form_description import describe
from provider_adapters.reconciler.client import ReconcilerClient
from tonewall.confinement import PLAIN, confine
from tonewall.descriptors import take_table
from tonewall.disk import write_whole
from tonewall.ini import ConfigError
from tonewall.log import configure_log, get_logger
from tonewall.process import allow_many_files, end_with_parent, harden, ignore_hangup, overwrites_freed_memory
from tonewall.snapshot import warm
from tonewall.turn import NAME, wait_for_turn
from tonewall.version import VERSION

log = get_logger(__name__)
_NONE: Mapping[str, int] = MappingProxyType({})
_SETTLE = 2.0  # seconds that calls and charges under way have to end when we stop
# About 50 calls between two collections of the youngest generation, 900 between two of all.
_GARBAGE = (5_000, 5, 2)


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `ready.json` in the directory, written once calls can come: the ports in use."""

    pid: int
    sip_port: int
    api_port: int
    api_url: str


def steady_clock() -> Callable[[], float]:
    """Seconds since the epoch that never run backwards, whatever happens to the wall clock."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


async def run(
    settings: SignallingSettings,
    media_socket: str,
    demo: Demo | None = None,
    pulse: int | None = None,
    inherited: Mapping[str, int] = _NONE,
) -> int:
    """Carry calls until SIGTERM or SIGINT, until a drain is over, or until they are handed over;
    the status, 1 where it had to stop by itself. `pulse`: the descriptor of a socket to the
    supervisor; `inherited`: descriptors of sockets that are bound already, and of the file of
    calls, by name. Raises OSError where an address cannot be bound."""
    general, pseudonyms, clock = settings.general, build_pseudonyms(settings), steady_clock()
    end = End(drain := Drain(general.drain_time), clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.at_once)
    records = RecordStore(
        connect(settings.cdr.url.get_secret_value()), settings.cdr.spool, settings.cdr.retention, pseudonyms
    )
    records.start()
    ladders, metrics = Ladders(general.ladders, clock, pseudonyms), Metrics()
    telemetry = open_telemetry(os.environ, clock, metrics)
    audit, tls = build_recorder(settings, time.time), open_tls(settings.api, general.directory)
    ways = open_ways_in(settings, clock, metrics.count_sign_in)
    service, listener = settings.links.sender(), settings.notify.sender()
    payments = open_payments(settings.cdr, pseudonyms)
    webhooks = Webhooks(
        settings.cdr.payments_file, build_endpoints(settings.webhooks), event_source(settings), clock
    ).observing(payments)
    statistics = Statistics(
        CallCounts(settings.trunks, clock()),
        PaymentCounts(settings.cdr.payments_file),
        lambda: board.circuits(),  # noqa: PLW0108 - the board is made later
        clock,
    )
    keep_record = telemetry.keeping(metrics.observe, statistics.counts.observe, records.put)
    plan = build_plan(
        settings, audit, tls, ways, webhooks, drain, shared := open_shared(settings, inherited.get(CALLS))
    )
    board = Switchboard(
        plan,
        keep_record,
        clock,
        ladders,
        records.fault,
        payments,
        LinkPolicy(settings.links.expires, service.send if service is not None else None),
        NoticePolicy(listener.send if listener is not None else None, settings.notify.chosen),
    )
    engine = build_engine(
        settings,
        metrics.sip.watch(board.on_leg_event),
        ladders,
        take_sockets(general.binds, inherited),
    )
    media = MediaClient(media_socket, board.on_media_answer, board.on_media_news, board.on_media_state)
    reconciler = ReconcilerClient(general.directory / "reconciler.sock", board.on_findings)
    board.connect(WatchedEngine(engine, metrics.sip), media, reconciler)
    app = create_app(
        board,
        authenticators=build_authenticators(settings, tokens := build_tokens(settings)),
        authority=build_authority(settings.api),
        demo=demo,
        ladders=ladders,
        metrics=metrics,
        guarded=settings.api.guarded,
        idle_time=settings.api.idle_time,
        forms=[describe(each) for each in build_forms(settings).values()],
        audit=audit,
        trusted_proxies=settings.api.proxies,
        sessions=ways.sessions,
        personal_data=PersonalData(records.engine, records, board, ladders, pseudonyms),
        sign_in=ways.passwords,
        oidc_start=ways.oidc_start,
        webhooks=webhooks,
        receipts=Receipts(webhooks, board, clock),
        statistics=statistics,
        frame_ancestors=parse_origins(settings.api.frame_ancestors),
        origins=parse_origins(settings.api.origins),
        messages=(messages := read_messages(settings.api.messages)),
        language=settings.api.language,
        recordings=PacketRecordings(media, board, ladders, clock),
    )
    ways.add_pages(app, audit, messages)
    telemetry.start(app, board)
    relaying, checkpoints = await start_calls(media, engine, board, inherited.get(CALLS))
    api = await serve(
        app,
        settings.api.address,
        settings.api.port,
        bound=take_socket(settings.api.address, settings.api.port, inherited),
        connections=settings.api.connections,
        tls=tls,
    )
    tasks = [
        relaying,
        asyncio.create_task(reconciler.run(), name="reconciler"),
        asyncio.create_task(count_sessions(board, statistics.counts, clock), name="count"),
    ]
    housekeeping = start_housekeeping(settings, board, plan, ways, webhooks, shared)
    if pulse is not None:
        housekeeping.start(
            follow_supervisor(
                board,
                pulse,
                end,
                Reload(plan, tokens, audit, app.state.streams.look_again, engine),
                MediaRenewal(engine, board, media),
            ),
            "pulse",
        )
    ready = Ready(pid=os.getpid(), sip_port=engine.address[1], api_port=api.port, api_url=api.url)
    write_whole(general.directory / "ready.json", msgspec.json.encode(ready))
    log.info("ready", port=engine.address[1], url=api.url, version=VERSION)
    _collect_garbage_seldom()
    stopping = asyncio.create_task(end.wait(board, engine), name="stop")
    ended, _ = await asyncio.wait({stopping, api.task, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    # None of them ends while all is well: better to be started again than half dead.
    for task in ended - {stopping}:
        log.error("task_ended", task=task.get_name(), exc_info=task.exception())
    if end.hands_over and ended == {stopping}:
        await hand_over(api, engine, board, media, checkpoints)
    else:
        await _end_calls(app, api, engine, board)
    await end_log(audit)
    await housekeeping.cancel()
    for task in (stopping, *tasks):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    for each in (service, listener, ways, webhooks, statistics, telemetry, shared):
        if each is not None:
            await each.close()
    records.close()
    return end.status if ended == {stopping} else 1


async def _end_calls(app: FastAPI, api: Serving, engine: RunningEngine, board: Switchboard) -> None:
    """End every call in good order; load balancers see it by /readyz."""
    log.info("stopping", calls=board.health()["calls"])
    app.state.stopping = True
    board.shut_down()
    await engine.stop()
    await board.settle(_SETTLE)
    await api.close()


def _collect_garbage_seldom() -> None:
    """Exempt everything that was loaded from collection, and collect the circles that calls leave
    in larger batches."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def _harden() -> None:
    """Protect keys that come as SIP INFO and pass through this process: none may remain in its
    memory, or in a core dump of it."""
    if not overwrites_freed_memory():
        log.error(
            "refused_to_start", why="freed memory is not overwritten", hint="start with card_environment()"
        )
        raise SystemExit(78)
    if not harden():
        log.warning(
            "memory_not_locked", hint="raise the memory lock limit; keys by SIP INFO may reach the swap space"
        )


def _warm_up() -> None:
    """Make what libraries keep of an API that was made once, so that the next is made in half the
    time; and find how calls are read."""
    create_app(cast("Desk", None), authenticators=[])
    for kinds in (CALLS_KINDS, LEGS_KINDS):
        warm(kinds)
    gc.collect()
    gc.freeze()


def _read_settings() -> SignallingSettings:
    try:
        settings = read_signalling({})
        Tokens.parse(settings.api.tokens.get_secret_value(), settings.api.roles)
    except (ConfigError, ValueError) as error:  # neither text has a value in it
        raise SystemExit(str(error)) from None
    return settings


def main() -> None:
    """The process's entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m b2bua.app", description="The signalling process of Tonewall."
    )
    parser.add_argument("--media", required=True, help="the unix socket of the media process")
    parser.add_argument("--demo", help="the unix socket of a demo's customer")
    parser.add_argument("--pulse", type=int, help="the descriptor of a socket for the pulse")
    arguments = parser.parse_args()
    inherited = take_table(os.environ)
    settings = _read_settings()
    ignore_hangup()
    end_with_parent()
    allow_many_files()
    configure_log("b2bua", settings.general.log_level, form=settings.general.log_format)
    confine(PLAIN)
    if any(policy.keys.by_info for policy in trunk_policies(settings).values()):
        _harden()
    if (turn := inherited.pop(NAME, None)) is not None:
        if not wait_for_turn(turn, _warm_up):
            return
        settings = _read_settings()
    demo: Demo | None = None
    if arguments.demo:
        # The demo is no part of a trunk's process.
        from b2bua.demo.remote import RemoteCustomer  # noqa: PLC0415

        demo = RemoteCustomer(arguments.demo)
    try:
        if status := uvloop.run(run(settings, arguments.media, demo, arguments.pulse, inherited)):
            raise SystemExit(status)
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    except StoreError as error:
        raise SystemExit(f"[cdr] url: {error}") from None
    except OSError as error:
        log.error("cannot_start", exc_info=error, why=error.strerror or "", path=str(error.filename or ""))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
