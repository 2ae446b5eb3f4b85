"""The scan finds what is there, in each encoding, and says nothing of a process that is clean."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from media.capture.check import passes_luhn
from tests.canary import CANARY, NothingRead, canary_forms, find_in_text, forms, main, scan_process
from tonewall.process import card_environment

NUMBER = CANARY.number
ROOT = Path(__file__).parents[4]

# Each child reads the number from its standard input into a bytearray (wiped after), does one thing
# with it, and waits. What it keeps, it keeps in `kept`; the helpers work digit by digit, so that
# they leave no other trace.
CHILD = """
import sys, os, array, base64
keys = bytearray(64)
length = os.readv(0, [keys])
number = memoryview(keys)[:16]
expiry_and_code = memoryview(keys)[17:21], memoryview(keys)[22:25]
{leak}
number.release()
for each in expiry_and_code:
    each.release()
for index in range(64):
    keys[index] = 0
print("ready", flush=True)
sys.stdin.read()
"""

LEAKS = {
    "ascii": "kept = bytes(number)",
    "ascii str": "kept = bytes(number).decode()",
    "ascii with spaces": "kept = b' '.join(bytes(number[i:i + 4]) for i in range(0, 16, 4))",
    "ascii with dashes": "kept = b'-'.join(bytes(number[i:i + 4]) for i in range(0, 16, 4))",
    "utf-16-le": "kept = bytearray(b for d in number for b in (d, 0))",
    "utf-16-be": "kept = bytearray(b for d in number for b in (0, d))",
    "utf-32-le": "kept = bytearray(b for d in number for b in (d, 0, 0, 0))",
    "utf-32-be": "kept = bytearray(b for d in number for b in (0, 0, 0, d))",
    "digit-per-byte": "kept = bytearray(d - 48 for d in number)",
    "bcd": "kept = bytearray((number[i] - 48) << 4 | number[i + 1] - 48 for i in range(0, 16, 2))",
    "bcd, low nibble first": "kept = bytearray((number[i + 1] - 48) << 4 | number[i] - 48 for i in range(0, "
    "16, 2))",
    "Python integer": "kept = int(number.tobytes())",
    "64-bit integer, little endian": "kept = array.array('q', [int(number.tobytes())])",
    "64-bit integer, big endian": "kept = array.array('q', [int(number.tobytes())]); kept.byteswap()",
    "hexadecimal": "kept = number.hex()",
    "base64": "kept = base64.b64encode(b'user:' + number + b'!')",
    "ascii head": "kept = bytes(number[:12])",
    "ascii tail": "kept = bytes(number[4:])",
    "ascii expiry and code": "kept = b''.join(expiry_and_code)",
    '"cvc":"..."': "kept = b'{\"cvc\":\"' + expiry_and_code[1] + b'\"}'",
}


@contextmanager
def a_process(code: str, environment: dict[str, str] | None = None) -> Iterator[int]:
    """A child that has run `code` on the canary's keys and is now waiting."""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    with child:
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(CANARY.keys.encode())
            child.stdin.flush()
            assert child.stdout.readline() == b"ready\n"
            yield child.pid
        finally:
            child.kill()


def test_the_canary_is_a_valid_card() -> None:
    assert passes_luhn(NUMBER.encode())


@pytest.mark.parametrize("encoding", LEAKS)
def test_a_leak_is_found_in_each_encoding(encoding: str) -> None:
    with a_process(CHILD.format(leak=LEAKS[encoding])) as pid:
        found = {finding.encoding for finding in scan_process(pid)}
    wanted = "ascii" if encoding == "ascii str" else encoding
    assert any(each.startswith(wanted) for each in found), found


def test_a_leak_is_found_across_the_edge_of_two_reads() -> None:
    leak = """
import mmap
kept = mmap.mmap(-1, 4 << 20)
for at in range(1 << 20, 4 << 20, 4096):
    for index in range(16):
        kept[at - 7 + index] = number[index]
"""
    with a_process(CHILD.format(leak=leak)) as pid:
        found = [finding for finding in scan_process(pid, forms(NUMBER)) if finding.encoding == "ascii head"]
    assert len(found) == 768  # once each, none twice


def test_a_child_that_leaks_nothing_is_clean() -> None:
    with a_process(CHILD.format(leak="")) as pid:
        assert scan_process(pid) == []


def test_a_number_held_in_secret_memory_only_is_not_found() -> None:
    leak = """
from media._core import SecretMemory
kept = SecretMemory(4096)
with memoryview(kept) as view:
    for index in range(25):
        view[index] = keys[index]
    assert view[15] == number[15]
if kept.kind != "memfd_secret":
    kept.wipe()
"""
    with a_process(CHILD.format(leak=leak), card_environment({})) as pid:
        assert scan_process(pid) == []


def test_a_process_that_is_gone_is_not_called_clean() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(NothingRead):
        scan_process(child.pid)


def test_a_zombie_is_not_called_clean() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout
        # Returns when the child has closed everything, which is shortly before it is a zombie.
        child.stdout.read()
        os_state = Path(f"/proc/{child.pid}/stat")
        while os_state.read_text().split()[2] != "Z":
            pass
        with pytest.raises(NothingRead):
            scan_process(child.pid)


def test_neither_findings_nor_the_card_show_a_digit_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with a_process(CHILD.format(leak=LEAKS["ascii"])) as pid:
        found = scan_process(pid)
        assert main([str(pid)]) == 1
    shown = f"{found} {CANARY!r} {CANARY} {sorted(canary_forms())} {capsys.readouterr().out}"
    assert found
    assert find_in_text(shown) == []


def test_the_command_succeeds_on_a_clean_process_and_fails_on_none() -> None:
    with a_process(CHILD.format(leak="")) as pid:
        assert main([str(pid)]) == 0
    assert main([]) == 1


@pytest.mark.parametrize("before", [b"", b"x", b"ab", b"user:"])
def test_base64_is_found_whatever_stands_around_the_number(before: bytes) -> None:
    text = base64.b64encode(before + NUMBER.encode() + b'","expiry"').decode()
    assert [finding.form for finding in find_in_text(text)] == [f"base64, alignment {len(before) % 3}"]


SPELLINGS = {
    "plain": NUMBER,
    "in a sentence": f"card {NUMBER} declined",
    "in fours": " ".join(NUMBER[i : i + 4] for i in range(0, 16, 4)),
    "with dashes": "-".join(NUMBER[i : i + 4] for i in range(0, 16, 4)),
    "in a URL": "%20".join(NUMBER[i : i + 4] for i in range(0, 16, 4)),
    "in a form": "+".join(NUMBER[i : i + 4] for i in range(0, 16, 4)),
    "as a JSON list": str(list(map(int, NUMBER))),
    "as a JSON list of strings": str(list(NUMBER)).replace("'", '"'),
    "in UTF-16": NUMBER.encode("utf-16-le").decode("latin-1"),
    "in UTF-32": NUMBER.encode("utf-32-be").decode("latin-1"),
    "reversed": NUMBER[::-1],
    "first twelve": NUMBER[:12],
    "last twelve": NUMBER[4:],
    "in hexadecimal": NUMBER.encode().hex(),
    "one key a line": "\n".join(
        f'{{"event": "keyed", "digit": {digit}, "seq": {i}}}' for i, digit in enumerate(NUMBER)
    ),
    "one event a line": "\n".join(f"telephone-event event={digit} end=1" for digit in NUMBER),
    "as keys": CANARY.keys,
    "security code in JSON": f'{{"security_code":"{CANARY.code}"}}',
    "security code in a form": f"card[number]=x&card[cvc]={CANARY.code}",
    "expiry and code as keys": f"{CANARY.expiry}#{CANARY.code}#",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_card_is_found_in_text_however_it_is_spelt(spelling: str) -> None:
    assert find_in_text(SPELLINGS[spelling])


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"visa {NUMBER[:6]}******{NUMBER[-4:]}",
        "2026-11-23T22:53:33.739113Z 49 29 58 events",
        "5580173642 4929580173",
        "\n".join(f'{{"event": "capture", "count": {count % 10}}}' for count in range(200)),
        f"code {CANARY.code}, {CANARY.expiry}",
    ],
)
def test_text_that_may_be_shown_is_clean(text: str) -> None:
    assert find_in_text(text) == []


def test_files_and_whole_directories_are_searched(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "clean.log").write_text("nothing")
    (tmp_path / "a" / "dump.bin").write_bytes(b"\xff\x00" + NUMBER.encode() + b"\xfe")
    (finding, _tail) = find_in_text(tmp_path)
    assert finding.where.endswith("dump.bin")
    assert find_in_text([tmp_path / "a" / "clean.log"]) == []
    with pytest.raises(NothingRead):
        find_in_text(tmp_path / "missing.log")
