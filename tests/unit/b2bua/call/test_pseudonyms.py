"""What stands for a customer's number where it is kept."""

from __future__ import annotations

import base64

import msgspec
import pytest

from b2bua.call.cdr import CallRecord
from b2bua.call.prepared import CallFacts, FindBy
from b2bua.call.pseudonyms import Pseudonyms, read_keys
from b2bua.call.routing.numbers import Form, NumberPlan

OLD, NEW = bytes(32), bytes(range(32))
NUMBER = "+441632960147"
PSEUDONYMS = Pseudonyms((NEW, OLD))


@pytest.mark.parametrize("form", [NUMBER, "00441632960147", "+44 1632 960-147", "441632960147"])
def test_a_number_has_one_pseudonym_however_it_is_written(form: str) -> None:
    assert PSEUDONYMS.of(form) == PSEUDONYMS.of(NUMBER)


@pytest.mark.parametrize("form", ["01632960147", "01632 960147", "00441632960147", "+441632960147"])
def test_a_carriers_way_to_write_a_number_is_no_other_number(form: str) -> None:
    plans = (NumberPlan(), NumberPlan(Form.NATIONAL, "44"))
    assert Pseudonyms((NEW,), plans).of(form) == PSEUDONYMS.of(NUMBER)


def test_a_pseudonym_has_no_digit_and_depends_on_number_and_key() -> None:
    names = {*PSEUDONYMS.all_of(NUMBER), *PSEUDONYMS.all_of("+441632960148")}
    assert len(names) == 4
    assert not any(each.isdigit() for name in names for each in name)
    assert {len(name) for name in names} == {22}


def test_it_is_the_hmac_of_rfc_2104() -> None:
    # printf 441632960147 | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f
    assert PSEUDONYMS.of(NUMBER) == Pseudonyms((NEW,)).of(NUMBER) != Pseudonyms((OLD,)).of(NUMBER)
    assert PSEUDONYMS.of(NUMBER) == "p-ttspvmbmvrgvnbtjqmfg"


@pytest.mark.parametrize("nobody", ["", "anonymous", "Anonymous", "unavailable"])
def test_nobody_has_no_pseudonym(nobody: str) -> None:
    assert PSEUDONYMS.of(nobody) == nobody


def test_a_pseudonym_stays_as_it_is_under_any_key() -> None:
    name = PSEUDONYMS.of(NUMBER)
    assert PSEUDONYMS.of(name) == Pseudonyms((OLD,)).of(name) == name


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_of_a_call_the_customers_number_is_hidden_and_the_line_stays(direction: str) -> None:
    record = CallRecord(
        call="c-1", direction=direction, caller=NUMBER, callee=NUMBER, started_at=1.5, answered_at=None,
        ended_at=2.5, end="hung up",
    )  # fmt: skip
    kept = msgspec.json.decode(PSEUDONYMS.hide(msgspec.json.encode(record)), type=CallRecord)
    caller, callee = PSEUDONYMS.of_call(direction, NUMBER, NUMBER)
    assert kept == msgspec.structs.replace(record, caller=caller, callee=callee)
    assert (caller == NUMBER, callee == NUMBER) == (direction == "outbound", direction == "inbound")


def test_a_payment_that_was_kept_is_found_by_the_number_all_the_same() -> None:
    kept = PSEUDONYMS.hide(msgspec.json.encode({"prepared": {"find_by": {"caller": NUMBER, "agent": "ann"}}}))
    found_by = msgspec.json.decode(
        msgspec.json.encode(msgspec.json.decode(kept)["prepared"]["find_by"]), type=FindBy
    )
    assert NUMBER[1:] not in kept.decode()
    call = CallFacts(call="c-1", callers=PSEUDONYMS.with_pseudonyms(("00441632960147",)), agent="ann")
    assert found_by.fits(call)
    rotated = Pseudonyms((b"x" * 32, NEW))
    assert found_by.fits(msgspec.structs.replace(call, callers=rotated.with_pseudonyms((NUMBER,))))
    assert not found_by.fits(msgspec.structs.replace(call, callers=PSEUDONYMS.with_pseudonyms(("1",))))


def test_without_a_key_everything_stays() -> None:
    assert not Pseudonyms()
    assert Pseudonyms().of(NUMBER) == NUMBER
    assert Pseudonyms().hide(b" {}") == b" {}"


def test_keys_are_read_the_newest_first() -> None:
    lines = [base64.b64encode(key).decode() for key in (NEW, OLD)]
    assert read_keys(["", *lines, ""]) == (NEW, OLD)


@pytest.mark.parametrize("lines", [[], [""], ["c2hvcnQ="], ["no base64!" * 8], ["é" * 44]])
def test_a_bad_key_is_refused_and_not_quoted(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        read_keys(lines)
    assert not any(line and line in str(refused.value) for line in lines)


@pytest.mark.parametrize("pseudonyms", [PSEUDONYMS, Pseudonyms()], ids=["with a key", "without"])
def test_who_is_on_a_leg_and_its_headers_are_not_kept(pseudonyms: Pseudonyms):
    leg = {"call_id": "b2@peer", "trunk": "carrier", "number": NUMBER, "headers": {"x-customer": NUMBER}}
    view = {"customer_leg": leg, "agent_leg": leg | {"number": "201"}}
    kept = msgspec.json.decode(pseudonyms.hide(msgspec.json.encode(view)))
    bare = {"call_id": "b2@peer", "trunk": "carrier", "number": "", "headers": {}}
    assert kept == {"customer_leg": bare, "agent_leg": bare}
