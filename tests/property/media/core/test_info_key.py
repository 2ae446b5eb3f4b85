"""The key in a SIP INFO: the core reads what the reference reads, whatever the body; what carriers
send is read right."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media import _core
from media.reference.sip_info import MALFORMED, MAX_BODY, NO_KEY, parse_key

KEYS = "0123456789*#ABCD"
LINES = st.sampled_from(
    [b"Signal=5", b"signal = #", b"SIGNAL:*", b"Signal=", b"Signal", b"Signals=5", b"Duration=160", b"5",
    b"d", b"16", b"10",
     b"17", b"!", b" ", b"\t7 ", b"Signal=5 6", b"\0", b"\xff", b"Signal=\0"]
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=12),
    st.builds(
        lambda lines, between: between.join(lines),
        st.lists(LINES, max_size=4),
        st.sampled_from([b"\r\n", b"\n"]),
    ),
)


def core(body: bytes) -> int:
    """As the reference says it."""
    memory = _core.SecretMemory(64)
    try:
        count = _core.info_key(body, memory, 5)
    except ValueError:
        assert bytes(memory) == bytes(64)
        return MALFORMED
    written = bytes(memory)
    assert written[:5] + written[6:] == bytes(63)
    return KEYS.index(chr(written[5])) if count else NO_KEY


@given(BODIES)
@example(b"5" + b"\r\n" * (MAX_BODY // 2))
@example(b"Signal=5" + b" " * (MAX_BODY - 8))
@example(b"Signal=5" + b" " * (MAX_BODY - 7))
def test_the_core_reads_what_the_reference_reads(body: bytes) -> None:
    assert core(body) == parse_key(body)


@pytest.mark.parametrize("code", range(16))
def test_every_key_is_read_as_carriers_send_it(code: int) -> None:
    pressed = KEYS[code]
    for body in (
        f"Signal={pressed}\r\nDuration=160\r\n",
        f"Signal= {pressed.lower()}\r\n",
        f"\nsignal:{pressed}",
        pressed,
    ):
        assert core(body.encode()) == code
    if code > 9:
        assert core(f"Signal={code}\r\n".encode()) == code


def test_a_flash_is_no_key_and_what_is_not_understood_may_have_been_one() -> None:
    assert [core(body) for body in (b"Signal=16\r\n", b"!")] == [NO_KEY] * 2
    assert [core(body) for body in (b"", b"Signal=\r\n", b"55", b"Duration=5\r\nx=1", b"Signal=17")] == [
        MALFORMED
    ] * 5


def test_the_key_goes_nowhere_else() -> None:
    with pytest.raises(ValueError, match="no key can be read from this body"):
        _core.info_key(b"4929", _core.SecretMemory(8), 0)
    with pytest.raises(ValueError, match="offset"):
        _core.info_key(b"5", _core.SecretMemory(8), 8)
    with pytest.raises(TypeError):
        _core.info_key(b"5", bytearray(8), 0)  # type: ignore[arg-type]
