"""Runs a telephone: a pjsua2 endpoint with one account, driven by JSON lines.

Rule 1: it reports the number of keys sent or received, never the keys.
Rule 2: pjsua2 runs on the thread that calls `run`, but for the C thread that paces the audio.
Rule 3: it ends when its instructions end, so it never outlives the process that started it.
"""

from __future__ import annotations

import functools
import math
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pjsua2 as pj

from b2bua.demo.keypad import Keypad
from b2bua.demo.pjsip import account_config, start_endpoint
from b2bua.demo.sound import Sound

Report = Callable[[dict[str, Any]], None]
_POLL_MS = 10
_GOODBYE_SECONDS = 2.0
_TRAFFIC_SECONDS = 0.2
_PACKET_MS = 20


@dataclass(frozen=True, slots=True)
class Setup:
    """The options of a phone. It answers by itself after `ring_ms` of ringing; None: it waits for
    `answer`."""

    user: str
    address: str = "127.0.0.1"
    ring_ms: int | None = None
    play: Path | None = None
    record: Path | None = None
    srtp: bool = False


def _contained(callback: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """A callback whose errors become an event: PJSIP's C code, which called it, could do nothing
    with them."""

    @functools.wraps(callback)
    def call(self: Any, prm: Any) -> None:
        try:
            callback(self, prm)
        except Exception as error:
            self.phone.failed(callback.__name__, error)

    return call


class _Account(pj.Account):  # type: ignore[misc]  # pjsua2 is untyped
    def __init__(self, phone: Softphone) -> None:
        super().__init__()
        self.phone = phone

    @_contained
    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802  # pjsua2's name
        self.phone.invited(prm.callId)


class _Call(pj.Call):  # type: ignore[misc]  # pjsua2 is untyped
    def __init__(self, phone: Softphone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone

    @_contained
    def onCallState(self, _prm: Any) -> None:  # noqa: N802
        self.phone.state_changed(self)

    @_contained
    def onCallMediaState(self, _prm: Any) -> None:  # noqa: N802
        self.phone.media_changed(self)

    @_contained
    def onDtmfDigit(self, _prm: Any) -> None:  # noqa: N802
        self.phone.digit_heard()

    @_contained
    def onStreamDestroyed(self, _prm: Any) -> None:  # noqa: N802
        self.phone.stream_ending(self)


class Softphone:
    """A telephone with one line. `report` receives each event; `run` takes instructions from a
    queue, where None ends it."""

    def __init__(self, setup: Setup, report: Report) -> None:
        self._setup = setup
        self._report = report
        self._endpoint = pj.Endpoint()
        self._call: _Call | None = None
        self._gone: list[_Call] = []
        self._sound = Sound()
        self._keypad = Keypad()
        self._answer_at: float | None = None
        self._digits_heard = 0
        self._traffic_at = 0.0
        self._statistics: dict[str, int] = {}
        self._answered = False
        self.account: Any = None

    # --- instructions -----------------------------------------------------------------------------

    def run(self, instructions: queue.SimpleQueue[dict[str, Any] | None]) -> None:
        """Serve until None or `quit` arrives."""
        self._start()
        try:
            while True:
                self._endpoint.libHandleEvents(_POLL_MS)
                self._gone.clear()
                self._answer_in_time(time.monotonic())
                self._press_keys()
                self._count_traffic(time.monotonic())
                if self._sound.recording_completed():
                    self._report({"event": "recording", "on": False})
                try:
                    instruction = instructions.get_nowait()
                except queue.Empty:
                    continue
                if instruction is None or instruction.get("do") == "quit":
                    return
                self._carry_out(instruction)
        finally:
            self._stop()

    def _carry_out(self, instruction: dict[str, Any]) -> None:
        actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "call": self._do_call, "answer": self._do_answer, "hangup": self._do_hangup,
            "keys": self._do_keys,
            "play": self._do_play, "record": self._do_record, "stats": self._do_stats,
        }  # fmt: skip
        what = str(instruction.get("do"))
        try:
            actions[what](instruction)
        except Exception as error:
            self.failed(what if what in actions else "?", error)

    def _do_call(self, instruction: dict[str, Any]) -> None:
        if self._call is not None:
            raise RuntimeError("already in a call")
        call = self._call = _Call(self)
        try:
            call.makeCall(str(instruction["uri"]), pj.CallOpParam(True))
        except Exception:
            self._forget_call(call)
            raise

    def _do_answer(self, _instruction: dict[str, Any] | None = None) -> None:
        self._answer_at = None
        self._send_response(200)

    def _do_hangup(self, _instruction: dict[str, Any]) -> None:
        if self._call is not None:
            self._call.hangup(pj.CallOpParam(True))

    def _do_keys(self, instruction: dict[str, Any]) -> None:
        """Press each key of `digits`, `gap_ms` of speech apart; the event's length is PJMEDIA's."""
        if self._call is None or not self._answered:
            raise RuntimeError("no call")
        gap = math.ceil(int(instruction.get("gap_ms", 100)) / _PACKET_MS)
        self._keypad.press_keys(str(instruction["digits"]), gap)

    def _do_play(self, instruction: dict[str, Any]) -> None:
        self._sound.play(Path(str(instruction["file"])), loop=bool(instruction.get("loop", True)))
        self._sound.connect_call(self._call)

    def _do_record(self, instruction: dict[str, Any]) -> None:
        if instruction.get("file"):
            self._sound.start_recording(Path(str(instruction["file"])))
            self._sound.connect_call(self._call)
            self._report({"event": "recording", "on": True})
        else:
            self._sound.stop_recording()

    def _do_stats(self, _instruction: dict[str, Any]) -> None:
        if self._call is not None and self._answered:
            self._measure(self._call)
        self._report({"event": "stats", **self._counts()})

    # --- events of the call -----------------------------------------------------------------------

    def invited(self, call_id: int) -> None:
        """A call comes in: ring, or refuse it as busy (486)."""
        call = _Call(self, call_id)
        if self._call is not None:
            self._gone.append(call)
            busy = pj.CallOpParam(True)
            busy.statusCode = 486
            call.hangup(busy)
            return
        self._call = call
        self._send_response(180)
        if self._setup.ring_ms is not None:
            self._answer_at = time.monotonic() + self._setup.ring_ms / 1000
        self._report({"event": "ringing", "from": call.getInfo().remoteUri})

    def failed(self, what: str, error: Exception) -> None:
        """Report an error by its type: its text may quote its input, and that may have been a
        card."""
        status = getattr(error, "status", 0)
        self._report({"event": "failed", "do": what, "error": type(error).__name__, "status": status})

    def state_changed(self, call: _Call) -> None:
        """Report the new state of the call."""
        info = call.getInfo()
        if call is not self._call:
            return
        if info.state == pj.PJSIP_INV_STATE_EARLY and info.role == pj.PJSIP_ROLE_UAC:
            self._report({"event": "ringback", "code": int(info.lastStatusCode)})
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._answered = True
            self._report({"event": "answered"})
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._forget_call(call)
            self._report({"event": "ended", "code": int(info.lastStatusCode), "reason": str(info.lastReason)})

    def media_changed(self, call: _Call) -> None:
        """Connect player and recorder to the audio of the call."""
        if call is self._call and self._sound.connect_call(call):
            self._report({"event": "media"})

    def digit_heard(self) -> None:
        """Count a key of the other side."""
        self._digits_heard += 1
        self._traffic_at = 0.0
        self._report({"event": "dtmf", "count": self._digits_heard})

    def stream_ending(self, call: _Call) -> None:
        """The last moment at which the stream's statistics can be read."""
        if call is self._call:
            self._measure(call)
            self._report({"event": "traffic", **self._counts()})

    # --- by its own timers ------------------------------------------------------------------------

    def _answer_in_time(self, now: float) -> None:
        if self._answer_at is not None and now >= self._answer_at:
            self._do_answer()

    def _press_keys(self) -> None:
        if not self._keypad.busy or self._call is None or not self._call.hasMedia():
            return
        self._measure(self._call)
        sent = self._statistics["sent"]
        key = self._keypad.key_due(sent)
        if key is not None:
            self._call.dialDtmf(key)
        elif count := self._keypad.keys_done(sent):
            self._report({"event": "keyed", "count": count})

    def _count_traffic(self, now: float) -> None:
        if self._call is not None and self._answered and now >= self._traffic_at:
            self._traffic_at = now + _TRAFFIC_SECONDS
            self._measure(self._call)
            self._report({"event": "traffic", **self._counts()})

    def _counts(self) -> dict[str, int]:
        return {"pressed": self._keypad.pressed, "dtmf": self._digits_heard, **self._statistics}

    def _send_response(self, code: int) -> None:
        if self._call is None:
            raise RuntimeError("no call")
        answer = pj.CallOpParam(True)
        answer.statusCode = code
        self._call.answer(answer)

    def _measure(self, call: _Call) -> None:
        if not call.hasMedia():
            return
        statistics = call.getStreamStat(0)  # must stay alive while its parts are read
        sent, received = statistics.rtcp.txStat, statistics.rtcp.rxStat
        self._statistics = {
            "sent": int(sent.pkt), "received": int(received.pkt), "lost": int(received.loss),
            "reordered": int(received.reorder), "duplicated": int(received.dup),
        }  # fmt: skip

    def _forget_call(self, call: _Call) -> None:
        # pjsua2 still uses the object when this callback returns: `run` lets go of it afterwards.
        self._gone.append(call)
        self._call, self._answer_at, self._answered = None, None, False
        self._keypad.clear_keys()

    # --- start and stop ---------------------------------------------------------------------------

    def _start(self) -> None:
        port = start_endpoint(self._endpoint, self._setup.address)
        self.account = _Account(self)
        self.account.create(
            account_config(self._setup.user, self._setup.address, port, srtp=self._setup.srtp)
        )
        if self._setup.play is not None:
            self._do_play({"file": str(self._setup.play)})
        if self._setup.record is not None:
            self._do_record({"file": str(self._setup.record)})
        self._report({"event": "ready", "port": port})

    def _stop(self) -> None:
        if self._call is not None:
            self._endpoint.hangupAllCalls()
            deadline = time.monotonic() + _GOODBYE_SECONDS
            while self._call is not None and time.monotonic() < deadline:
                self._endpoint.libHandleEvents(_POLL_MS)
        self._call = None
        self._sound.close()
        self._gone.clear()
        self.account.shutdown()
        self.account = None
        # Every message was sent: without this PJSIP waits a second for messages of others.
        self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
