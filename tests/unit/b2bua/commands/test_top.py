"""`tonewall top`: what one screen shows of a Tonewall that answers, of one that is not well, and of
none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from typer.testing import CliRunner

from b2bua.call.trunk_view import HopView, TrunkView
from b2bua.call.view import CallView
from b2bua.cli import app
from b2bua.commands.top_screen import Picture, draw

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
FAULT = {"what": "media", "says": "The media process is down.", "stops": "calls"}
CALL: dict[str, Any] = {
    "id": "c-7f3a", "state": "up", "direction": "inbound", "caller": "+49301234567", "callee": "201",
    "started_at": "2026-12-01T02:58:55Z", "masked": False, "agent": "ann",
}  # fmt: skip
PAYING = CALL | {
    "id": "c-9999", "masked": True, "mask": "on", "started_at": "2026-12-01T02:59:55Z",
    "capture": {
        "id": "p-1", "stage": "collecting", "field": "expiry", "agent": "ann",
        "order": {"transaction_id": "INV-1", "amount": 1, "currency": "EUR", "description": ""},
    },
}  # fmt: skip


def calls(*given: dict[str, Any]) -> tuple[CallView, ...]:
    return msgspec.convert(given, tuple[CallView, ...])


def test_a_screen_has_status_faults_trunks_and_calls_with_payments_first():
    hop = HopView(address="192.0.2.1", port=5060, transport="udp", usable=False)
    trunk = TrunkView(name="carrier", kind="carrier", calls=2, refused=1, hops=(hop,), registration="lost")
    health = {"status": "unhealthy", "faults": [FAULT], "calls": 2, "leaks": 0}
    lines = draw(Picture(health, (trunk,), calls(CALL, PAYING)), NOW, 80, 24)
    assert lines[:3] == [
        "tonewall  03:00:00 UTC  unhealthy",
        "calls 2  keys got through masks 0",
        "! media (stops calls): The media process is down.",
    ]
    assert lines[5] == "carrier              carrier       2        1  lost         0 of 1"
    assert lines[8:] == [
        "c-9999      0:00:05 in  up      …67  …01  ann        on   collecting expiry",
        "c-7f3a      0:01:05 in  up      …67  …01  ann        off  -",
    ]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 12), (1, 1), (200, 60)])
def test_a_screen_fits_whatever_there_is_to_show(width: int, height: int):
    many = calls(*(CALL | {"id": f"c-{number}", "caller": "\x1b[2J" * 9} for number in range(500)))
    trunks = tuple(TrunkView(name=f"t{n}\x07", kind="pbx", calls=0, refused=0) for n in range(50))
    health = {"status": "ok", "faults": [FAULT | {"says": "x\n" * 500}] * 50}
    lines = draw(Picture(health, trunks, many, trouble="y\r" * 500), NOW, width, height)
    assert len(lines) <= max(height, 24)
    assert all(len(line) <= width and (line.isprintable() or not line) for line in lines)


def test_more_calls_than_lines_are_counted():
    lines = draw(Picture({"status": "ok"}, (), calls(*[CALL] * 500)), NOW, 80, 24)
    assert len(lines) == 24
    assert lines[-1] == "… and 484 more calls"


class _Api(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, tuple[int, Any]]] = {}

    def do_GET(self) -> None:
        status, body = self.answers[self.path]
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def api() -> Iterator[str]:
    _Api.answers = {
        "/healthz": (200, {"status": "ok", "faults": [], "calls": 1}),
        "/v1/trunks": (200, []),
        "/v1/calls": (200, [CALL]),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def once(url: str, folder: Path) -> tuple[int, str]:
    conf = folder / "sip.conf"
    conf.write_text("[api]\ntokens = sue:0123456789abcdefgh\nroles = sue:supervisor\n")
    result = CliRunner().invoke(app, ["top", "-c", str(conf), "--url", url], env={"TONEWALL_TOKEN": ""})
    return result.exit_code, result.output


def test_without_a_terminal_it_is_one_screen(api: str, tmp_path: Path):
    status, text = once(api, tmp_path)
    assert status == 0
    assert "UTC  ok\ncalls 1\n" in text
    assert "c-7f3a" in text
    assert "\x1b" not in text


def test_faults_and_a_token_that_may_not_see_calls_are_shown_not_fatal(api: str, tmp_path: Path):
    _Api.answers["/healthz"] = (503, {"status": "unhealthy", "faults": [FAULT]})
    _Api.answers["/v1/calls"] = (403, {"status": 403, "detail": "This is not for you."})
    status, text = once(api, tmp_path)
    assert status == 0
    assert "unhealthy" in text
    assert "! media (stops calls)" in text
    assert "this token may not see calls" in text


def test_nobody_who_answers_is_status_2_with_what_to_do(api: str, tmp_path: Path):
    _Api.answers["/v1/trunks"] = (500, {})
    status, text = once(api, tmp_path)
    assert (status, "is it a Tonewall of this version?" in text) == (2, True)
    status, text = once("http://127.0.0.1:1", tmp_path)
    assert (status, "is `tonewall run` up?" in text) == (2, True)
