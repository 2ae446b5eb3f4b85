"""State written out and read back: the same, shared where it was shared, whole or not at all,
without what may not be kept."""

from __future__ import annotations

import dataclasses
import hashlib
import types
import typing
from enum import Enum

import msgspec
import pytest

import tonewall.snapshot
from b2bua.call import leg, leg_command
from b2bua.call import snapshot as calls
from b2bua.call.call import Call
from b2bua.call.cdr import LegTimes
from b2bua.call.leg import Carried
from b2bua.call.routing import trunk
from b2bua.call.schema import SCHEMA
from b2bua.call.snapshot import restore_call, snapshot_call
from b2bua.call.state import BridgeState
from b2bua.sip import snapshot as machines
from b2bua.sip.leg.dialog import Dialog, Forks
from b2bua.sip.leg.leg_protocol import LegOwner, UnansweredLeg
from b2bua.sip.snapshot_names import NAMED
from b2bua.sip.transaction import transactions
from b2bua.sip.transaction.non_invite_client import NonInviteClient
from b2bua.sip.transaction.transaction import Timers
from provider_adapters.payment import Approved
from tests.call_script import Script
from tonewall.snapshot import Kinds, SnapshotError, fields, read, warm, write

SCALARS = {type(None), bool, int, float, str, bytes, msgspec.UnsetType}
CONTAINERS = {list, tuple, set, frozenset, dict}


def collecting() -> Script:
    return Script().answer().collecting()


def test_a_call_is_the_same_and_shares_what_it_shared():
    call = collecting().call
    again = restore_call(snapshot_call(call, 1.0), 1.0)
    assert again == call
    assert again is not call
    assert again.transfer.bridge is again.bridge
    assert again.bridge.renegotiation.offer_answer is again.bridge.offer_answer
    assert snapshot_call(again, 1.0) == snapshot_call(call, 1.0)


def test_what_was_written_and_changed_or_cut_is_not_read():
    data = snapshot_call(collecting().call, 1.0)
    for broken in (b"", data[:-1], data + b"\0", data[:20] + bytes([data[20] ^ 1]) + data[21:], b"x" * 100):
        with pytest.raises(SnapshotError, match="not whole"):
            restore_call(broken, 1.0)


def test_another_version_and_another_boot_are_told(monkeypatch: pytest.MonkeyPatch):
    data = snapshot_call(collecting().call, 100.0)
    with pytest.raises(SnapshotError, match="started again"):
        restore_call(data, 99.0)
    monkeypatch.setattr(tonewall.snapshot, "VERSION", 4)
    with pytest.raises(SnapshotError, match="of version 3, this is 4"):
        restore_call(data, 100.0)


def test_something_else_is_no_call():
    with pytest.raises(SnapshotError, match="no call"):
        restore_call(write([1, 2], calls.KINDS, 1.0), 1.0)
    with pytest.raises(SnapshotError, match="no machines"):
        machines.read_machines(write([1], machines.KINDS, 1.0), 1.0)


@pytest.mark.parametrize(
    "secret",
    [
        trunk.Trunk("t", "h", 5060, password="s3cret"),
        leg.LegRequested("r", "INFO", "application/dtmf", b"5"),
        leg_command.RequestLeg("r", "INFO", "application/dtmf", b"5"),
        print,
        object(),
    ],
)
def test_what_may_not_be_kept_is_not_written(secret: object):
    with pytest.raises(SnapshotError, match="is not written out") as caught:
        write({"a": [secret]}, calls.KINDS, 1.0)
    assert "s3cret" not in str(caught.value)


def test_a_kind_or_field_that_is_not_known_is_refused():
    made = types.ModuleType("made")
    old = msgspec.defstruct("Thing", ["one"], module="made")
    made.Thing = old  # type: ignore[attr-defined]
    data = write(old(1), Kinds((made,)), 1.0)
    with pytest.raises(SnapshotError, match="not known"):
        read(data, calls.KINDS, 1.0)
    made.Thing = msgspec.defstruct("Thing", ["one", "two"], module="made")  # type: ignore[attr-defined]
    with pytest.raises(SnapshotError, match="has other fields"):
        read(data, Kinds((made,)), 1.0)


@pytest.mark.parametrize(
    "content",
    [
        [3], [3, SCHEMA, 0.0], [3, 9, 0.0, None, []], [3, SCHEMA, 0.0, ["o", 0], []],
        [3, SCHEMA, 0.0, ["o", "x"], []],
        [3, SCHEMA, 0.0, ["e", "tonewall.Nothing", 1], []],
        [3, SCHEMA, 0.0, ["e", calls.KINDS.form(BridgeState), "nowhere"], []],
        [3, SCHEMA, 0.0, ["z", []], []],
        [3, SCHEMA, 0.0, ["d", [1]], []], [3, SCHEMA, 0.0, ["e", 5, 1], []],
        [3, SCHEMA, 0.0, ["o", 0], [["b2bua.call.Codec", ["o", 0], 1]]], 5,
        [3, SCHEMA, 0.0, ["o", 0], [[7, ["o", 0], 1]]],
        [3, SCHEMA, 0.0, ["o", 0], [[calls.KINDS.form(Call), 1]]],
        [3, SCHEMA, 0.0, ["o", 0], [[calls.KINDS.form(LegTimes), *range(40)]]],
        [3, SCHEMA, 0.0, ["i", calls.KINDS.form(Carried), *range(40)], []],
        [3, SCHEMA, "x", None, []],
    ],
)  # fmt: skip
def test_what_is_whole_but_was_never_written_so_is_refused(content: object):
    body = msgspec.msgpack.encode(content)
    with pytest.raises(SnapshotError):
        read(hashlib.blake2b(body, digest_size=16).digest() + body, calls.KINDS, 1.0)


def test_a_later_version_may_have_another_form(monkeypatch: pytest.MonkeyPatch):
    body = msgspec.msgpack.encode([4, "anything"])
    with pytest.raises(SnapshotError, match="of version 4, this is 3"):
        read(hashlib.blake2b(body, digest_size=16).digest() + body, calls.KINDS, 1.0)


@pytest.mark.parametrize("method", [b"INFO", b"MESSAGE"])
def test_a_request_that_may_hold_a_key_is_not_written(method: bytes):
    client, _ = NonInviteClient.open(method + b" sip:a@b SIP/2.0\r\n\r\nSignal=5", 0.0, Timers())
    with pytest.raises(SnapshotError, match="may hold a key"):
        machines.write_machines([client], 0.0)
    bye, _ = NonInviteClient.open(b"BYE sip:a@b SIP/2.0\r\n\r\n", 0.0, Timers())
    assert machines.read_machines(machines.write_machines([bye], 0.0), 0.0) == [bye]


def test_dialogs_and_forks_are_the_same_and_go_on_counting():
    dialog = Dialog(
        "id", "ours", "theirs", "<sip:a>;tag=ours", "<sip:b>;tag=theirs", 3, 7, "sip:b@h", ("<sip:p;lr>",)
    )
    forks, again = machines.read_machines(
        machines.write_machines([Forks({"theirs": dialog}, "theirs"), dialog], 0.0), 0.0
    )
    assert isinstance(again, Dialog)
    assert isinstance(forks, Forks)
    assert again == dialog
    assert forks.dialogs["theirs"] is again
    assert again.request("BYE").cseq == 4
    assert not again.accepts(7)
    assert again.accepts(8)


@pytest.mark.parametrize("kinds", [calls.KINDS, machines.KINDS], ids=["calls", "machines"])
def test_no_two_kinds_have_one_number(kinds: Kinds):
    assert len({kinds.form(kind) for kind in kinds}) == len(list(kinds))


def test_text_of_a_peer_may_hold_octets_that_are_no_text():
    odd = b"caf\xc3\xa9 \xff\x00".decode("utf-8", "surrogateescape")
    value = {odd: [odd, "caf\u00e9", leg.Party(odd, "plain")]}
    assert read(write(value, calls.KINDS, 0.0), calls.KINDS, 0.0) == value


def test_what_the_settings_gave_is_encoded_once_unless_it_refers_to_what_changes():
    made = types.ModuleType("made")
    made.Changing = msgspec.defstruct("Changing", ["count"], module="made")  # type: ignore[attr-defined]
    made.Setting = msgspec.defstruct("Setting", ["one"], module="made", frozen=True)  # type: ignore[attr-defined]
    kinds = Kinds((made,), settings=(made.Setting,))
    plain, changing = made.Setting("a"), made.Changing(1)
    holder = made.Setting(changing)
    first, second = (read(write([plain, holder, changing], kinds, 0.0), kinds, 0.0) for _ in range(2))
    assert first == second == [plain, holder, changing]
    changing.count = 2
    again = read(write([plain, holder, changing], kinds, 0.0), kinds, 0.0)
    assert (again[1].one.count, again[1].one is again[2]) == (2, True)


def test_what_the_settings_gave_is_made_once_unless_it_refers_to_what_changes():
    made = types.ModuleType("made")
    setting, counts = [("name", str), ("of", object)], [("count", int)]
    space = {"__module__": "made"}
    made.Setting = dataclasses.make_dataclass("Setting", setting, frozen=True, namespace=space)  # type: ignore[attr-defined]
    made.Call = dataclasses.make_dataclass("Call", counts, namespace=space)  # type: ignore[attr-defined]
    kinds = Kinds((made,), settings=(made.Setting,))
    call = made.Call(1)
    alone, beside = made.Setting("a", None), made.Setting("b", call)
    data = write([alone, beside, call], kinds, 1.0)
    first, second = read(data, kinds, 1.0), read(data, kinds, 1.0)
    assert first == second == [alone, beside, call]
    assert first[0] is second[0]
    assert first[1].of is first[2] is not second[2]
    assert second[1].of is second[2]


def test_kinds_that_were_looked_at_beforehand_are_read_as_ever():
    made = types.ModuleType("made")
    made.Thing = msgspec.defstruct("Thing", ["one"], module="made")  # type: ignore[attr-defined]
    kinds = Kinds((made,))
    warm(kinds)
    assert len(kinds.readers[kinds.schema]) == 1
    assert read(write(made.Thing(1), kinds, 1.0), kinds, 1.0) == made.Thing(1)


@pytest.mark.parametrize("row", [["i", [1]], ["i", [1, 2], 3], ["i", [], 1]])
def test_an_object_of_more_or_fewer_fields_is_refused(row: list[object]):
    made = types.ModuleType("made")
    made.Thing = msgspec.defstruct("Thing", [("one", int), ("two", int)], module="made")  # type: ignore[attr-defined]
    kinds = Kinds((made,))
    body = msgspec.msgpack.encode([3, 0, 0.0, [row[0], kinds.form(made.Thing), *row[1:]], []])
    data = hashlib.blake2b(body, digest_size=16).digest() + body
    with pytest.raises(SnapshotError, match="more or fewer"):
        read(data, kinds, 1.0)


# --- nothing that cannot be written gets in -------------------------------------------------------


def leaves(hint: object) -> set[object]:
    """The types that a field's annotation is made of."""
    if isinstance(hint, list):  # the arguments of a Callable
        return {leaf for each in hint for leaf in leaves(each)}
    if isinstance(hint, typing.NewType):
        return leaves(hint.__supertype__)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return {type(value) for value in typing.get_args(hint)}
    if origin is None or origin is typing.ClassVar:
        return set() if origin is typing.ClassVar or hint is ... else {hint}
    inner = {leaf for each in typing.get_args(hint) for leaf in leaves(each)}
    return inner | ({origin} if isinstance(origin, type) and origin is not types.UnionType else set())


@pytest.mark.parametrize("kinds", [calls.KINDS, machines.KINDS], ids=["calls", "machines"])
def test_every_field_is_of_a_kind_that_can_be_written(kinds: Kinds):
    known = set(kinds)
    # In unions of events and commands, which no call keeps.
    skipped = {leg.LegRequested, leg_command.RequestLeg}
    # Written by name.
    skipped |= (
        {
            *NAMED,
            transactions.ClientUser,
            transactions.ServerUser,
            transactions.Runner,
            LegOwner,
            UnansweredLeg,
        }
        if kinds is machines.KINDS
        else set()
    )
    for kind in known:
        if issubclass(kind, Enum):
            continue
        hints = typing.get_type_hints(kind)
        assert (
            not [name for name in fields(kind) if name not in hints] if not issubclass(kind, tuple) else True
        )
        for name in hints if issubclass(kind, tuple) else fields(kind):
            odd = {
                leaf for leaf in leaves(hints[name]) - SCALARS - CONTAINERS - skipped
                if not (isinstance(leaf, type) and (leaf in known or leaf.__name__ in {"Mapping", "Sequence", "StrEnum"}))  # noqa: E501
            }  # fmt: skip
            assert not odd, f"{kind.__qualname__}.{name}: {odd} cannot be written out"


def test_the_rule_would_notice_a_closure():
    made = types.ModuleType("made")
    made.Bad = msgspec.defstruct("Bad", [("timer", typing.Callable[[], None])], module="made")  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="cannot be written out"):
        test_every_field_is_of_a_kind_that_can_be_written(Kinds((made,)))


def test_an_approval_without_and_with_the_name_of_its_provider_is_written_and_read_back():
    for outcome in (Approved(reference="r"), Approved(reference="r", provider="backup")):
        assert read(write(outcome, calls.KINDS, 0.0), calls.KINDS, 0.0) == outcome
