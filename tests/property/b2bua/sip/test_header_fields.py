"""What is read the short way is what the long way reads: header fields beside sipmessage's, tags
beside their grammar."""

from __future__ import annotations

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.message.header_fields import Headers
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, tag_of

NAMES = st.sampled_from(
    [
        "Via",
        "VIA",
        "v",
        "V",
        "From",
        "f",
        "Call-ID",
        "call-id",
        "i",
        "CSeq",
        "Record-Route",
        "X-Own",
        "x-own",
        "Subject",
    ]
)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_fields_are_found_as_sipmessage_finds_them(fields: list[tuple[str, str]]) -> None:
    lines = [f"{name}:{value}" for name, value in fields]
    ours = Headers(lines)
    head = "\r\n".join(["INVITE sip:b@h SIP/2.0", *lines])
    theirs = sipmessage.Message.parse(head.encode() + b"\r\n\r\n").headers
    assert [name.lower() for name in ours.keys()] == [name.lower() for name in theirs.keys()]  # noqa: SIM118
    for name in theirs.keys():  # noqa: SIM118
        assert ours.getlist(name) == ours.getlist(name.upper()) == theirs.getlist(name)
        assert ours.get(name) == theirs.get(name)
    assert ours.getlist("Absent") == []


def test_names_of_ours_are_spelled_as_the_rfcs_do_and_others_as_they_came() -> None:
    assert Headers(["v: 1", "X-tra: 2", "CONTENT-length: 3"]).keys() == ["Via", "X-tra", "Content-Length"]


@pytest.mark.parametrize(
    "line", ["no colon", ": no name", "two words: x", "\N{KELVIN SIGN}: no compact form"]
)
def test_what_is_no_header_field_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="header"):
        Headers([line])


PIECES = st.sampled_from(
    [
        '"',
        "<",
        ">",
        ";",
        ";tag=",
        "tag=a",
        ";TAG=b",
        ";x=y",
        "=",
        ",",
        " ",
        "\\",
        "sip:a@h",
        "Ann",
        '"Ann" ',
        "<sip:a@h>",
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_tag_is_what_the_parameters_behind_the_address_say(value: str) -> None:
    assert tag_of(value) == parse_parameters(parse_name_addr(value)[2]).get("tag", "")
