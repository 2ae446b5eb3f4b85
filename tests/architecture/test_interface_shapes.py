"""Processes of two versions with one number of the interface read each other."""

from __future__ import annotations

import re

import pytest

from tests.architecture.interface_shapes import Said, differences, encode, kept, shapes
from tonewall.interface import INTERFACE


def test_this_number_says_what_this_code_says() -> None:
    assert differences(kept(INTERFACE), shapes()) == []
    assert kept(INTERFACE) == shapes(), "run `make docs`"


def test_the_messages_of_each_socket_and_the_recovery_page_are_in_it() -> None:
    text = encode(shapes())
    for name in (
        "OpenSession",
        "SessionClaimed",
        "CaptureChanged",
        "KeepStream",
        "ChargeRequest",
        "Findings",
    ):
        assert re.search(rf'^"[a-z_.0-9]+\.{name}":', text, re.MULTILINE), name
    for name in ("slot", "indices", "index", "latch", "tally"):
        assert f'"struct {name}"' in text, name
    assert len(shapes()) > 100


HAD = Said(tag="mask", needs={"on": "bool"}, may={"until": "float"}, values=("'on'",), lines=("int a;",))


@pytest.mark.parametrize(
    ("has", "says"),
    [
        (None, "is gone"),
        (Said(tag="masks", needs=HAD.needs, may=HAD.may, values=HAD.values, lines=HAD.lines), "another tag"),
        (Said(tag="mask", may=HAD.may, values=HAD.values, lines=HAD.lines), "m.on is gone"),
        (
            Said(tag="mask", needs={"on": "int"}, may=HAD.may, values=HAD.values, lines=HAD.lines),
            "another type",
        ),
        (
            Said(tag="mask", needs={"on": "bool", "until": "float"}, values=HAD.values, lines=HAD.lines),
            "alone",
        ),
        (
            Said(
                tag="mask", needs={"on": "bool", "by": "str"}, may=HAD.may, values=HAD.values, lines=HAD.lines
            ),
            "m.by has no default",
        ),
        (Said(tag="mask", needs=HAD.needs, may=HAD.may, lines=HAD.lines), "has no 'on' any more"),
        (
            Said(tag="mask", needs=HAD.needs, may=HAD.may, values=("'on'", "'shut'"), lines=HAD.lines),
            "has 'shut', too",
        ),
        (
            Said(tag="mask", needs=HAD.needs, may=HAD.may, values=HAD.values, lines=("long a;",)),
            "another layout",
        ),
    ],
)
def test_what_another_version_would_misread_is_found(has: Said | None, says: str) -> None:
    [found] = differences({"m": HAD}, {"m": has} if has is not None else {})
    assert says in found


def test_a_field_that_may_be_ignored_is_no_difference() -> None:
    more = Said(
        tag="mask",
        needs=HAD.needs,
        may={**HAD.may, "by": "str"},
        values=HAD.values,
        lines=HAD.lines,
    )
    assert differences({"m": HAD}, {"m": more, "other": HAD}) == []
