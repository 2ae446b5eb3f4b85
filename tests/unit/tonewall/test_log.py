"""What comes out of a log, and what does not: a card number is put wherever one might end up."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from tests.canary import CANARY
from tests.configured_log import configured
from tonewall import log

NUMBER = CANARY.number
GROUPED = " ".join(NUMBER[start : start + 4] for start in range(0, len(NUMBER), 4))


class Output(io.StringIO):
    def entries(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def entry(self) -> dict[str, object]:
        (entry,) = self.entries()
        return entry


@pytest.fixture
def output() -> Iterator[Output]:
    """Logging as a process of ours sets it up, at debug level; undone afterwards."""
    file = Output()
    with configured("test", "debug", file):
        yield file


logger = log.get_logger(__name__)


def test_an_entry_is_one_json_line_with_time_level_process_and_module(output: Output):
    logger.info("ready", port=5060, url="http://127.0.0.1:8080")
    entry = output.entry()
    assert str(entry.pop("timestamp")).endswith("Z")
    assert entry == {
        "event": "ready",
        "level": "info",
        "process": "test",
        "module": __name__,
        "port": 5060,
        "url": "http://127.0.0.1:8080",
    }


def test_a_field_that_nobody_allowed_is_dropped_and_counted(output: Output):
    logger.info("keyed", number=NUMBER, pan=NUMBER, digits=[NUMBER], call="c-1")
    assert output.entry()["dropped"] == 3
    assert output.entry()["call"] == "c-1"


@pytest.mark.parametrize(
    "value",
    [
        NUMBER.encode(),
        bytearray(NUMBER.encode()),
        [NUMBER],
        {"pan": NUMBER},
        (NUMBER,),
        int(NUMBER),
        -int(NUMBER),
        float(NUMBER),
        complex(0, int(NUMBER)),
        ValueError(NUMBER),
        f"{NUMBER}\n",
        f"\0{NUMBER}",
        f"{NUMBER}{'x' * 200}",
        object(),
        float("nan"),
        float("inf"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_in_an_allowed_field_only_plain_and_short_values_pass(output: Output, value: object):
    logger.info("failed", reason=value, why=None, code=True)
    entry = output.entry()
    assert "reason" not in entry
    assert (entry["dropped"], entry["why"], entry["code"]) == (1, None, True)
    assert NUMBER not in output.getvalue()


def test_the_card_number_comes_out_of_no_place_that_takes_what_others_made(output: Output):
    class Quoting(Exception):
        def __str__(self) -> str:
            return NUMBER

        __repr__ = __str__

    def broken(digits: str) -> None:
        raise Quoting(digits, GROUPED) from ValueError(digits)

    try:
        broken(NUMBER)
    except Quoting as error:
        logger.error("failed", exc_info=error)
        logger.error("failed", exc_info=True)
        logger.exception("failed")
        logging.getLogger("library").exception("could not pay with %s", NUMBER)
        logging.getLogger("library").error(NUMBER, extra={"pan": NUMBER}, stack_info=True)
        sys.excepthook(Quoting, error, error.__traceback__)
        with structlog.contextvars.bound_contextvars(card=NUMBER):
            logger.bind(number=NUMBER).debug("bound")
    assert len(output.entries()) == 7
    for form in (NUMBER, GROUPED, NUMBER[6:], "could not pay"):
        assert form not in output.getvalue()
    assert output.entries()[0]["error"] == "Quoting"
    assert str(output.entries()[0]["at"]).startswith("test_log.py:")


def test_another_librarys_record_is_its_name_and_place(output: Output):
    logging.getLogger("uvicorn.error").warning("GET /%s", NUMBER)
    entry = output.entry()
    assert (entry["event"], entry["level"], entry["what"]) == ("library", "warning", "uvicorn.error")
    assert str(entry["at"]).startswith("test_log.py:")


def test_another_librarys_debug_records_never_come_out(output: Output):
    logging.getLogger("httpcore").debug("send_request_body %s", NUMBER)
    assert output.entries() == []


def test_what_is_below_the_level_stays_silent(output: Output):
    log.configure_log("test", "error", output)
    logger.info("ready")
    logging.getLogger("library").warning("hm")
    assert output.entries() == []
    logger.error("failed")
    assert output.entry()["level"] == "error"


def test_a_process_that_dies_says_where_but_not_with_which_words(output: Output):
    try:
        raise ValueError(NUMBER)
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    entry = output.entry()
    assert (entry["event"], entry["error"]) == ("died", "ValueError")
    assert "at" in entry


def test_a_thread_that_dies_and_an_exception_that_nobody_can_catch_are_named_alike(output: Output):
    class Odd:
        def __del__(self) -> None:
            raise ValueError(NUMBER)

    def die() -> None:
        raise ValueError(NUMBER)

    thread = threading.Thread(target=die, name=NUMBER)
    thread.start()
    thread.join()
    odd = Odd()
    del odd
    assert [(entry["event"], entry["error"]) for entry in output.entries()] == [
        ("thread_died", "ValueError"),
        ("exception_ignored", "ValueError"),
    ]
    assert NUMBER not in output.getvalue()


def test_a_warning_is_named_by_its_place_alone(output: Output, capsys: pytest.CaptureFixture[str]):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn(NUMBER, stacklevel=1)
    assert [entry["what"] for entry in output.entries()] == ["py.warnings"]
    assert NUMBER not in output.getvalue() + capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("agent", "phone:+4915735980321", "phone:…21"),
        ("agent", "phone:2001", "phone:…01"),
        ("agent", "agent-0001", "agent-0001"),
        ("why", "from phone:441632960147", "from phone:…47"),
        ("reason", "01632960147 is busy", "…47 is busy"),
        ("why", "port 5060 is taken", "port 5060 is taken"),
        ("call", "caller:+441632960147", "caller:…47"),
        ("call", "c1632960147d", "c1632960147d"),
        ("peer", "+441632960147", "…47"),
    ],
)
def test_of_a_telephone_number_the_last_two_digits_are_left(output: Output, field: str, text: str, said: str):
    logger.info("request", **{field: text})
    assert output.entry()[field] == said


def test_ids_of_a_context_are_in_every_entry_of_it_and_in_none_behind_it(output: Output):
    with log.log_ids(payment="p-1", call=None):
        logger.info("charging")
        logger.info("charging", payment="p-2")
    logger.info("charging")
    assert [entry.get("payment") for entry in output.entries()] == ["p-1", "p-2", None]
    assert not [entry for entry in output.entries() if "call" in entry]
