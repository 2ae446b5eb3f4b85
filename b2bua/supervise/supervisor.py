"""Starts media, payers, the reconciler, webhooks, decoders and b2bua, and starts again those that
end.

Rule 1: every process gets its own sections in its environment and no others; only payers and the
        reconciler get the provider's key, and only webhooks the secret of its webhooks.
Rule 2: media receives its payers, and the process id of b2bua, over socket pairs of the supervisor:
        nobody else can pretend to be either.
Rule 3: a process that ends is logged, with its signal or status, and started again after a pause
        that grows to 5 s.
Rule 4: sockets of SIP and of the API are bound here, once; each b2bua inherits them.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.service_view import DRAINING
from b2bua.config.settings import Settings
from b2bua.supervise import provider_processes
from b2bua.supervise.b2bua_process import b2bua_processes
from b2bua.supervise.child import Child, await_end, start_child, terminate_after
from b2bua.supervise.control import control
from b2bua.supervise.held_sockets import HeldSockets
from b2bua.supervise.kept import Kept
from b2bua.supervise.media_channel import MediaChannel
from b2bua.supervise.media_process import HeldForMedia, media_processes
from b2bua.supervise.prompt_process import prepare_prompts
from b2bua.supervise.reloads import Reloads
from b2bua.supervise.service_manager import ServiceManager
from b2bua.supervise.signalling_channel import SignallingChannel
from b2bua.supervise.stream_store import StreamStore
from b2bua.supervise.succession import LASTED, Succession
from b2bua.supervise.upgrades import Installation, Upgrades
from b2bua.switchboard.pulse import Pulse
from media.events import PayerFault
from media.settings import MaskTimes
from provider_adapters.payment import JOURNAL_FAILED, WRONG_CONFIGURATION
from tonewall.log import get_logger, use_page
from tonewall.log_settings import LogPageOwner, LogSettings
from tonewall.process import allow_many_files, card_environment
from tonewall.turn import HANDED_OVER

log = get_logger(__name__)
_NONE: Mapping[str, int] = MappingProxyType({})
_MIN_PAUSE, _MAX_PAUSE = 0.1, 5.0  # seconds before a process is started again
_QUICK = LASTED  # seconds: a process that ends sooner is started again more slowly each time
# Seconds beyond the provider's own times that a payer may take to end a charge.
_PAYER_GRACE = 10.0
# Seconds after a drain in which b2bua has to end by itself.
_DRAIN_GRACE = 15.0
_NOT_STARTED = 71  # as a status: EX_OSERR of sysexits.h
_PAYER_FAULTS = {  # by a payer's status
    JOURNAL_FAILED: PayerFault.JOURNAL,
    WRONG_CONFIGURATION: PayerFault.SETTINGS,
}


@dataclass(slots=True)
class Supervisor:
    """The processes of one installation. `stored`: what the supervisor before us had kept;
    `read`: reads and checks the settings again, for a reload;
    `config`: where they are read from;
    `demo`: the unix socket of a demo's customer, in a demo; `logs`: the file descriptor for the
    processes' logs, where it is not our standard error."""

    settings: Settings
    demo: str | None = None
    logs: int | None = None
    channel: MediaChannel = field(default_factory=MediaChannel)
    manager: ServiceManager = field(default_factory=ServiceManager)
    stored: Kept = field(default_factory=Kept)
    read: Callable[[], Settings] | None = None
    config: Path | None = None
    signalling: SignallingChannel = field(init=False)
    reloads: Reloads = field(init=False)
    _is_draining: bool = False
    _b2bua_down: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _charging: set[asyncio.Task[int]] = field(default_factory=set)
    _page: LogPageOwner | None = None
    _sockets: HeldSockets | None = None
    _held: HeldForMedia | None = None
    _successions: dict[str, Succession] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signalling = SignallingChannel(self._on_pulse)
        self.reloads = Reloads(self.settings, self.read or (lambda: self.settings), self.signalling)

    @property
    def media_socket(self) -> Path:
        """The unix socket on which media takes commands of b2bua."""
        return self.settings.signalling.general.directory / "media.sock"

    @property
    def reconciler_socket(self) -> Path:
        """The unix socket on which the reconciler takes requests of b2bua."""
        return self.settings.signalling.general.directory / "reconciler.sock"

    @property
    def prompts(self) -> Path:
        """The directory of prompts as media reads them."""
        return self.settings.signalling.general.directory / "prompts"

    async def run(self) -> None:
        """Run all processes until `stop`. Raises OSError where the directory cannot be made, or an
        address cannot be bound."""
        directory = self.settings.signalling.general.directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        general = self.settings.signalling.general
        self._page = LogPageOwner(LogSettings(general.log_format, general.log_level))
        use_page(self._page.page)
        self.manager.follow(self.stop)
        try:
            self._sockets = HeldSockets.open(self.settings.signalling, self.manager, self.stored)
            self._held = HeldForMedia.open(self.media_socket, self.manager, self.stored)
            self.channel.streams = StreamStore(allow_many_files(), self.manager, self.stored.streams)
            async with control(directory, self.reloads.reload, Upgrades(self._installation())):
                await self._run_all(directory)
        finally:
            self._close_sockets()
            self.manager.close()
            use_page(None)
            self._page.close()

    async def _run_all(self, directory: Path) -> None:
        (directory / "ready.json").unlink(missing_ok=True)
        async with asyncio.TaskGroup() as group:
            if self.settings.plays_prompts:
                group.create_task(prepare_prompts(self.settings, self.prompts, self._begin, self._stop))
            self._successions |= {"media": self._media(), "b2bua": self._signalling()}
            for name, succession in self._successions.items():
                running = group.create_task(self._restart(name, succession.run))
                if self.settings.signalling.general.spare:
                    group.create_task(self._restart("spare", succession.run_spare))
            running.add_done_callback(self._on_b2bua_down)
            if self.settings.signalling.general.other_audio is OtherAudio.DECODE:
                for _ in range(self.settings.media.threads):
                    group.create_task(self._restart("decoder", self._run_decoder))
            group.create_task(self._restart("reconciler", self._run_reconciler))
            for header, webhooks in self.settings.webhooks.items():
                if webhooks.port:
                    group.create_task(self._restart("webhooks", partial(self._run_webhooks, header)))
            for _ in range(self.settings.provider.ready):
                group.create_task(self._restart("payer", self._run_payer))
        await asyncio.gather(*self._charging)

    def _installation(self) -> Installation:
        channels = self.signalling, self.channel
        return Installation(
            self.config, self._begin, self._sockets_of_b2bua, *channels, self._successions, self._obstacle
        )

    def _sockets_of_b2bua(self) -> Mapping[str, int]:
        return self._sockets.descriptors() if self._sockets is not None else {}

    def _obstacle(self) -> str:
        """Why no upgrade can begin now; "" where one can."""
        if self.reloads.ending:
            return "Tonewall is about to end: start it again"
        if self.settings.signalling.general.engine == "pjsua2":
            return (
                "calls of [general] engine = pjsua2 end with their process: stop Tonewall, and start it again"
            )
        return "" if self.signalling.lives else "no b2bua carries calls at this moment"

    def end(self) -> None:
        """End as `[general] drain_time` says: the first time after a drain, the second at once."""
        drain_time = self.reloads.settings.signalling.general.drain_time
        if self._is_draining or not drain_time or not self.signalling.drain():
            self.stop()
            return
        self._is_draining = self.reloads.ending = True
        self.manager.drain()
        log.info("draining", seconds=drain_time, hint="a second signal ends Tonewall at once")
        # b2bua ends by itself; one that does not is stopped.
        asyncio.get_running_loop().call_later(drain_time + _DRAIN_GRACE, self.stop)

    def _on_pulse(self, pulse: Pulse) -> None:
        self.manager.on_pulse(pulse)
        if self._is_draining and DRAINING not in pulse.faults:  # one that was started meanwhile
            self.signalling.drain()

    def _on_b2bua_down(self, _: object) -> None:
        self._close_sockets()  # charges may go on for long: nobody is to wait for an answer
        self._b2bua_down.set()

    def _close_sockets(self) -> None:
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None
        if self._held is not None:
            self._held.close()
            self._held = None
        self.channel.streams.close()

    def stop(self) -> None:
        """End all processes in good order: b2bua, then media, then payers that still charge."""
        self._stop.set()
        self.reloads.ending = True
        self.manager.stop()
        self.channel.stop()

    async def _restart(self, name: str, run_once: Callable[[], Awaitable[int]]) -> None:
        """Run this kind of process again and again, until `stop`."""
        pause = _MIN_PAUSE
        while not self._stop.is_set():
            started = asyncio.get_running_loop().time()
            try:
                status = await run_once()
            # No process, memory or descriptor to be had: that must not end the other processes.
            except Exception as error:
                log.error("process_not_started", child=name, exc_info=error)
                status = _NOT_STARTED
            if name == "b2bua" and status == 0 and self._is_draining:
                self.stop()  # no call is left, or their time is over
            if self._stop.is_set():
                return
            lasted = asyncio.get_running_loop().time() - started
            if name in ("payer", "decoder", "spare") and status == 0:
                pause = _MIN_PAUSE  # it has done its work, its turn has come, or media was restarted
                continue
            if status == HANDED_OVER:
                continue
            killed = signal.Signals(-status).name if status < 0 else None
            pause = _MIN_PAUSE if lasted > _QUICK else min(pause * 2, _MAX_PAUSE)
            if name in self._successions and self._successions[name].has_spare:
                pause = 0.0
            log.error("restarting", child=name, status=status, signal=killed, seconds=round(pause, 1))
            await self._sleep(pause)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    # --- the kinds of process ---------------------------------------------------------------------

    async def _run_decoder(self) -> int:
        if not await self.channel.wait_until_open():
            return 0
        for_media, for_decoder = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with for_media:
            module = ["media.decoder.process", "--fd", str(for_decoder.fileno())]
            process = await self._start(module, card_environment({}), for_decoder)
            await self.channel.hand_over("decoder", for_media)
        return await terminate_after(process, self._b2bua_down)

    async def _run_payer(self) -> int:
        if not await self.channel.wait_until_open():
            return 0
        for_media, for_payer = socket.socketpair()
        with for_media:
            module = ["provider_adapters.payer.process", "--fd", str(for_payer.fileno())]
            environment = card_environment(self.settings.provider_environment())
            process = await self._start(module, environment, for_payer)
            await self.channel.hand_over("payer", for_media)
        status = await self._await_charge(process)
        if status:
            self.channel.report_fault(_PAYER_FAULTS.get(status, PayerFault.ENDED))
        return status

    async def _run_reconciler(self) -> int:
        started = provider_processes.reconciler(self.settings, self.reconciler_socket)
        return await terminate_after(await self._begin(*started), self._b2bua_down)

    async def _run_webhooks(self, header: str) -> int:
        started = provider_processes.webhooks(self.settings, header, self.reconciler_socket)
        return await terminate_after(await self._begin(*started), self._b2bua_down)

    async def _await_charge(self, process: Child) -> int:
        """The status of a payer that ends as it waits; 0 as soon as it has a charge, so that the
        next payer is started meanwhile."""
        providers = self.settings.providers.values()
        # After that a payer that still charges is killed; its journal then has what is open.
        patience = sum(each.timeout + each.inquiry_time for each in providers) + _PAYER_GRACE
        with self.channel.charge_of(process.pid) as charge:
            charged = asyncio.create_task(charge.wait())
            ended = asyncio.create_task(await_end(process, self._stop, patience))
            await asyncio.wait({charged, ended}, return_when=asyncio.FIRST_COMPLETED)
            charged.cancel()
        if ended.done():
            return ended.result()
        self._charging.add(ended)
        ended.add_done_callback(self._on_charge_ended)
        return 0

    def _on_charge_ended(self, ended: asyncio.Task[int]) -> None:
        self._charging.discard(ended)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.error("payer_wait_failed", exc_info=error)

    def _media(self) -> Succession:
        """The media process, and the next ones."""
        general = self.settings.signalling.general
        arguments = ["--socket", str(self.media_socket), "--prompts", str(self.prompts)]
        arguments += ["--log-level", general.log_level]
        assert self._held is not None
        return media_processes(
            self.settings.media,
            MaskTimes(guard_time=general.guard_time, release_time=general.release_time),
            arguments,
            self._begin,
            self._held,
            self.channel,
            self._stop,
            self._b2bua_down,  # calls end in good order before their media does
        )

    def _signalling(self) -> Succession:
        """The b2bua that carries the calls, and the next ones."""
        arguments = ["--media", str(self.media_socket)]
        if self.demo:
            arguments += ["--demo", self.demo]
        assert self._sockets is not None
        return b2bua_processes(
            lambda: self.reloads.settings.signalling,
            arguments,
            self._begin,
            self._sockets_of_b2bua,
            self.signalling,
            self.channel.name_b2bua,
            self._stop,
        )

    async def _start(self, module: list[str], environment: dict[str, str], handed: socket.socket) -> Child:
        level = self.settings.signalling.general.log_level
        return await self._begin([*module, "--log-level", level], environment, handed)

    async def _begin(
        self,
        module: list[str],
        environment: dict[str, str],
        handed: socket.socket | None = None,
        shared: Mapping[str, int] = _NONE,
    ) -> Child:
        return await start_child(
            module, environment, handed=handed, shared=shared, logs=self.logs, page=self._page,
            is_kept=self.manager.keeps,
        )  # fmt: skip
