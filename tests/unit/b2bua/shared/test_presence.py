"""What an instance reads of the others: whatever stands in Redis, and for as long as it is true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.shared.presence import LEASE, Others, Presence, decode_presence, encode_presence


def there(name: str, **calls: int) -> Presence:
    return Presence(name=name, holder=f"h-{name}", calls=calls)


def test_the_calls_of_all_others_count_while_they_are_seen() -> None:
    others = Others("a")
    others.see(there("a", carrier=100), 0.0)
    others.see(there("b", carrier=2, pbx=2), 0.0)
    others.see(there("c", carrier=3), 1.0)
    assert (others.calls("carrier", 1.0), others.calls("pbx", 1.0), others.calls("other", 1.0)) == (5, 2, 0)
    assert others.calls("carrier", LEASE) == 3
    others.see(there("c", carrier=1), 2.0)
    others.forget("b")
    assert (others.calls("carrier", 2.0), len(others.alive(2.0))) == (1, 1)
    others.keep_only({"b"})
    assert others.alive(2.0) == []


@given(st.dictionaries(st.text(max_size=20), st.integers(min_value=0, max_value=1 << 40)))
def test_what_is_written_is_read(calls: dict[str, int]) -> None:
    presence = Presence(name="a", holder="h", calls=calls)
    assert decode_presence(encode_presence(presence)) == presence


@given(st.binary())
def test_octets_of_anybody_are_no_presence_and_no_fault(octets: bytes) -> None:
    assert decode_presence(octets) is None


@pytest.mark.parametrize(
    "text",
    [
        b'{"schema":2,"name":"b","holder":"h","calls":{}}',
        b'{"schema":1,"name":"b","holder":"h","calls":{"carrier":-5}}',
        b'{"schema":1,"name":"b","calls":{}}',
        b'{"schema":1,"name":"b","holder":"h","calls":{"carrier":"5"}}',
        b'{"schema":1,"name":"' + b"b" * 70_000 + b'","holder":"h","calls":{}}',
    ],
)
def test_another_schema_or_shape_is_left_alone(text: bytes) -> None:
    assert decode_presence(text) is None
