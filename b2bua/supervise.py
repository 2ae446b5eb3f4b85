"""`tonewall run`: starts media, payers and b2bua, gives each its own settings, and starts again
what ends.

Rule 1: every process gets its own sections in its environment and no other's; only payers get the
        provider's key.
Rule 2: media talks to payers over socket pairs that are made here, and is told which process is
        b2bua: nobody else can pretend to be either.
Rule 3: a process that ends is said, with its signal or status, and started again after a pause that
        grows to 5 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.settings import Settings
from b2bua.config.trunk_settings import CarrierSettings
from media.events import PayerFault
from media.lock_limit import captures_carried
from media.peer import naming
from media.settings import MaskTimes
from provider_adapters.payment import JOURNAL_FAILED, WRONG_CONFIGURATION
from tonewall.ini import to_environment
from tonewall.log import get_logger
from tonewall.process import SUPERVISOR, card_environment, lock_limit, plain_environment

log = get_logger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_GRACE = 5.0  # seconds that a process may take to stop
_AFTER_PATIENCE = (
    10.0  # seconds beyond the provider's own times that a payer may take to end a charge under way
)
_NOT_STARTED = 71  # as a status: EX_OSERR of sysexits.h
_PAYER_FAULTS = {
    JOURNAL_FAILED: PayerFault.JOURNAL,
    WRONG_CONFIGURATION: PayerFault.SETTINGS,
}  # by a payer's status
_QUICK = 2.0  # seconds: a process that ends sooner is started again more slowly each time


@dataclass(slots=True)
class Supervisor:
    """One installation's processes. `demo`: the unix socket of a demo's customer, where this is a
    demo; `logs`: the file descriptor for the processes' logs, where it is not our standard
    error."""

    settings: Settings
    demo: str | None = None
    logs: int | None = None
    _b2bua_down: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    # Our end of the channel on which media is given its payers.
    _payers: socket.socket | None = None
    _signalling: int = 0  # the process id of b2bua
    _taken: dict[int, asyncio.Event] = field(
        default_factory=dict
    )  # by process id: media has given it a charge
    _charging: set[asyncio.Task[int]] = field(default_factory=set)
    _media_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def _patience(self) -> float:
        """Seconds after which a payer that still charges is given up; its journal then says what is
        open."""
        return self.settings.provider.timeout + self.settings.provider.inquiry_time + _AFTER_PATIENCE

    @property
    def media_socket(self) -> Path:
        return self.settings.signalling.general.directory / "media.sock"

    async def run(self) -> None:
        """Until `stop`. Raises OSError where the directory cannot be made."""
        directory = self.settings.signalling.general.directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / "ready.json").unlink(missing_ok=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep("media", self._run_media))
            signalling = group.create_task(self._keep("b2bua", self._run_b2bua))
            signalling.add_done_callback(lambda _: self._b2bua_down.set())
            if self.settings.signalling.general.other_audio is OtherAudio.DECODE:
                for _ in range(self.settings.media.threads):
                    group.create_task(self._keep("decoder", self._run_decoder))
            for _ in range(self.settings.provider.ready):
                group.create_task(self._keep("payer", self._run_payer))
        await asyncio.gather(*self._charging)

    def stop(self) -> None:
        self._stop.set()
        self._media_up.set()

    async def _keep(self, name: str, run_once: Callable[[], Awaitable[int]]) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            started = asyncio.get_running_loop().time()
            try:
                status = await run_once()
            except (
                Exception
            ) as error:  # no process, memory or descriptor to be had: that must not end the others
                log.error("process_not_started", what=name, exc_info=error)
                status = _NOT_STARTED
            if self._stop.is_set():
                return
            lasted = asyncio.get_running_loop().time() - started
            if name in ("payer", "decoder") and status == 0:
                pause = _FIRST_PAUSE  # it has done its work, or media was restarted
                continue
            killed = signal.Signals(-status).name if status < 0 else None
            pause = _FIRST_PAUSE if lasted > _QUICK else min(pause * 2, _LONGEST_PAUSE)
            log.error("restarting", what=name, status=status, signal=killed, seconds=round(pause, 1))
            await self._sleep(pause)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    # --- the kinds of process ---------------------------------------------------------------------

    async def _run_media(self) -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        general = self.settings.signalling.general
        times = MaskTimes(guard_time=general.guard_time, release_time=general.release_time)
        environment = to_environment(self.settings.media) | to_environment(times)
        arguments = [
            "media.process",
            "--socket",
            str(self.media_socket),
            "--payers",
            str(theirs.fileno()),
            *self._log_level(),
        ]
        with ours:
            process = await self._start(arguments, card_environment(environment), theirs)
            ours.setblocking(False)
            self._payers = ours
            self._name_b2bua()
            self._media_up.set()
            loop = asyncio.get_running_loop()
            loop.add_reader(ours, self._hear_taken, ours)
            try:
                return await self._wait(
                    process, self._b2bua_down
                )  # calls end in good order before their media does
            finally:
                loop.remove_reader(ours)
                self._payers = None
                if not self._stop.is_set():
                    self._media_up.clear()

    async def _run_decoder(self) -> int:
        await self._media_up.wait()
        if self._stop.is_set() or self._payers is None:
            return 0
        for_media, for_decoder = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with for_media:
            arguments = ["media.decoder.process", "--fd", str(for_decoder.fileno()), *self._log_level()]
            process = await self._start(arguments, card_environment({}), for_decoder)
            if not self._hand_over(b"decoder", for_media):
                log.error("decoder_not_handed_over", why="media took none", pid=process.pid)
        return await self._wait(process, self._b2bua_down)

    async def _run_payer(self) -> int:
        await self._media_up.wait()
        if self._stop.is_set() or self._payers is None:
            return 0
        for_media, for_payer = socket.socketpair()
        with for_media:
            environment = card_environment(to_environment(self.settings.provider))
            process = await self._start(
                ["provider_adapters.payer.process", "--fd", str(for_payer.fileno()), *self._log_level()],
                environment,
                for_payer,
            )
            if not self._hand_over(b"payer", for_media):
                log.error("payer_not_handed_over", why="media took none", pid=process.pid)
        status = await self._until_taken(process)
        if status and self._payers is not None and not self._stop.is_set():
            fault = _PAYER_FAULTS.get(status, PayerFault.ENDED)
            with contextlib.suppress(OSError):  # media is on its way out, or reads nothing
                self._payers.send(fault.value.encode())
        return status

    def _hand_over(self, what: bytes, end: socket.socket) -> bool:
        """Give media the end of a new process's socket; False where media went while that process
        was started."""
        if self._payers is None:
            return False
        try:
            socket.send_fds(self._payers, [what], [end.fileno()])
        except OSError:
            return False
        return True

    async def _until_taken(self, process: asyncio.subprocess.Process) -> int:
        """Its status if it ends as it waits; 0 as soon as it has a charge, so that the next one is
        started meanwhile."""
        taken = self._taken[process.pid] = asyncio.Event()
        charged = asyncio.create_task(taken.wait())
        ended = asyncio.create_task(self._wait(process, None))
        await asyncio.wait({charged, ended}, return_when=asyncio.FIRST_COMPLETED)
        charged.cancel()
        del self._taken[process.pid]
        if ended.done():
            return ended.result()
        self._charging.add(ended)
        ended.add_done_callback(self._charge_ended)
        return 0

    def _charge_ended(self, ended: asyncio.Task[int]) -> None:
        self._charging.discard(ended)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.error("payer_wait_failed", exc_info=error)

    def _hear_taken(self, channel: socket.socket) -> None:
        """Media says which payer it has given a charge, by its process id."""
        try:
            message = channel.recv(16)
        except OSError:
            return
        if not message:  # media is gone; its own status says why
            asyncio.get_running_loop().remove_reader(channel)
        elif (taken := self._taken.get(int.from_bytes(message, "big"))) is not None:
            taken.set()

    async def _run_b2bua(self) -> int:
        environment = self.settings.signalling.environment()
        arguments = ["b2bua.app", "--media", str(self.media_socket)]
        if self.demo:
            arguments += ["--demo", self.demo]
        # Keys that come as SIP INFO pass through it: then what it frees is overwritten as well.
        trunks = self.settings.signalling.trunks.values()
        by_info = any(isinstance(each, CarrierSettings) and each.info_digits for each in trunks)
        made = card_environment if by_info else plain_environment
        process = await self._start(arguments, made(environment))
        self._signalling = process.pid
        self._name_b2bua()
        try:
            return await self._wait(process, self._stop)
        finally:
            self._signalling = 0  # its number may be another's soon

    def _name_b2bua(self) -> None:
        """Tell media which process may command it."""
        if self._payers is not None and self._signalling and (named := naming(self._signalling)):
            with contextlib.suppress(OSError):  # media is on its way out; its successor is told
                self._payers.send(named)

    # --- inside -----------------------------------------------------------------------------------

    def _log_level(self) -> list[str]:
        return ["--log-level", self.settings.signalling.general.log_level]

    async def _start(
        self, module: list[str], environment: Mapping[str, str], handed: socket.socket | None = None
    ) -> asyncio.subprocess.Process:
        """Start a process; `handed` becomes its own and is closed here."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *module,
                env={**environment, SUPERVISOR: str(os.getpid())},
                # Ctrl-C is for the supervisor, which ends the others in good order.
                start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL,
                stderr=self.logs,
                pass_fds=(handed.fileno(),) if handed else (),
            )
        finally:
            if handed is not None:
                handed.close()
        log.debug("started", what=module[0], pid=process.pid)
        return process

    async def _wait(self, process: asyncio.subprocess.Process, until: asyncio.Event | None) -> int:
        """Its status. Once `until` is set it is asked to stop; without one it is to end by itself
        after media has."""
        stopping = asyncio.create_task((until or self._stop).wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            if until is not None:
                process.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(ended), _GRACE if until is not None else self._patience)
            except TimeoutError:
                log.error("process_killed", why="it did not stop", pid=process.pid)
                process.kill()
        return await ended


async def supervise(settings: Settings, demo: str | None = None) -> None:
    """Run all processes until SIGTERM or SIGINT; SIGHUP changes nothing."""
    supervisor = Supervisor(settings, demo)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, _say_hangup)
    log.info("starting", pid=os.getpid(), path=str(settings.signalling.general.directory))
    _say_lock_limit(settings)
    await supervisor.run()
    log.info("stopped")


def _say_hangup() -> None:
    log.warning(
        "sighup_ignored", why="settings are read at the start only", hint="restart to read them again"
    )


def _say_lock_limit(settings: Settings) -> None:
    limit = lock_limit()
    if limit is None:
        return
    decoded = settings.signalling.general.other_audio is OtherAudio.DECODE
    captures = captures_carried(limit, settings.media.threads, decoded=decoded)
    if captures:
        log.warning(
            "payments_at_once_limited",
            why="the memory lock limit",
            count=captures,
            hint="see `tonewall doctor`",
        )
    else:
        log.error(
            "no_card_can_be_taken", why="the memory lock limit is too low", hint="see `tonewall doctor`"
        )
