"""Random audit logs, changed in every way by somebody without the key: each change is found. A
process that is killed at any moment leaves a log that verifies."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.audit import log_file
from b2bua.audit.chain import Checkpoint as Signed
from b2bua.audit.chain import Place, hash_of, write_checkpoint, write_entry, write_head
from b2bua.audit.entry import Entry, Result, write_time
from b2bua.audit.log_file import LogFile
from b2bua.audit.verify import HEAD, log_files, verify

RUNS = int(os.environ.get("TONEWALL_AUDIT_RUNS", "300"))
KEY, OTHERS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
pytestmark = pytest.mark.timeout(120 + RUNS // 2)  # many runs, or many tests beside them
Change = Callable[[random.Random, Path], bool]


def entry(chance: random.Random, number: int) -> Entry:
    return Entry(
        at=write_time(1_796_000_000 + number),
        who=chance.choice(["ann", "ben", "tonewall"]),
        what=chance.choice(["start_capture", "submit", "mask_on"]),
        result=chance.choice(list(Result)),
        call=chance.choice(["", "c-1", "c-2"]),
        details={"keys": chance.randrange(30)} if chance.random() < 0.5 else {},
    )


def write(chance: random.Random, directory: Path) -> None:
    """A log of one to three processes, in one to several files."""
    clock = iter(range(1_796_000_000, 1_797_000_000, chance.choice([1, 50])))
    erasable = chance.random() < 0.5
    for _ in range(chance.randrange(1, 4)):
        size = chance.choice([400, 2000, 1 << 20])
        log = LogFile(directory, KEY, lambda: float(next(clock)), size, erasable=erasable)
        for number in range(chance.randrange(1, 12)):
            log.append([entry(chance, number) for _ in range(chance.randrange(1, 4))])
        if chance.random() < 0.7:
            log.close()
        else:
            os.close(log._file)  # killed
            os.close(log._lock)
            if log._keys is not None:
                log._keys.close()


def lines_of(directory: Path) -> list[tuple[Path, list[bytes]]]:
    return [(path, path.read_bytes().splitlines(keepends=True)) for path in log_files(directory)]


def pick(chance: random.Random, directory: Path) -> tuple[Path, list[bytes], int]:
    path, lines = chance.choice([each for each in lines_of(directory) if each[1]])
    return path, lines, chance.randrange(len(lines))


# --- what somebody without the key may do; False where it changes nothing ------------------------


def change_an_octet(chance: random.Random, directory: Path) -> bool:
    path = chance.choice([each for each in [*log_files(directory), directory / HEAD] if each.stat().st_size])
    octets = bytearray(path.read_bytes())
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    path.write_bytes(octets)
    return True


def rewrite_a_value(chance: random.Random, directory: Path) -> bool:
    """An entry says something else, in good JSON."""
    path, lines, at = pick(chance, directory)
    line = json.loads(lines[at])
    if "entry" not in line:
        return False
    line["entry"]["who"] = "nobody"
    lines[at] = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    return True


def exchange_what_is_sealed(chance: random.Random, directory: Path) -> bool:
    """Two entries have each other's names, or each other's calls."""
    path, lines, _ = pick(chance, directory)
    fields = chance.choice([("key", "sealed"), ("call_key", "sealed_call")])
    sealed = [index for index, line in enumerate(lines) if f'"{fields[1]}":'.encode() in line]
    if len(sealed) < 2:
        return False
    read = [(index, json.loads(lines[index])) for index in chance.sample(sealed, 2)]
    names = [{name: line["entry"][name] for name in fields} for _, line in read]
    for (index, line), other in zip(read, reversed(names), strict=True):
        line["entry"] |= other
        lines[index] = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    return True


def rewrite_all_behind_it(chance: random.Random, directory: Path) -> bool:
    """An entry says something else, and each line behind it has the hash that fits."""
    files = lines_of(directory)
    every = [(index, line) for index, (_, lines) in enumerate(files) for line in lines]
    at = chance.randrange(len(every))
    if "entry" not in json.loads(every[at][1]):
        return False
    changed, previous = [], ""
    for place, (index, line) in enumerate(every):
        read = json.loads(line)
        if place == at:
            read["entry"]["who"] = "nobody"
        elif place > at:
            read["previous"] = previous
        again = json.dumps(read, separators=(",", ":")).encode()
        previous = hash_of(again)
        changed.append((index, again + b"\n"))
    for index, (path, _) in enumerate(files):
        path.write_bytes(b"".join(line for of, line in changed if of == index))
    return True


def remove_lines(chance: random.Random, directory: Path) -> bool:
    path, lines, at = pick(chance, directory)
    del lines[at : at + chance.randrange(1, 4)]
    path.write_bytes(b"".join(lines))
    return True


def swap_lines(chance: random.Random, directory: Path) -> bool:
    path, lines, at = pick(chance, directory)
    other = chance.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    path.write_bytes(b"".join(lines))
    return at != other


def repeat_a_line(chance: random.Random, directory: Path) -> bool:
    path, lines, at = pick(chance, directory)
    lines.insert(chance.randrange(len(lines) + 1), lines[at])
    path.write_bytes(b"".join(lines))
    return True


def cut_the_end(chance: random.Random, directory: Path) -> bool:
    path = [path for path, lines in lines_of(directory) if lines][-1]
    size = path.stat().st_size
    os.truncate(path, chance.randrange(size))
    return True


def remove_a_file(chance: random.Random, directory: Path) -> bool:
    files = [path for path, lines in lines_of(directory) if lines]
    if len(files) < 2:
        return False
    chance.choice(files).unlink()
    return True


def add_a_line(chance: random.Random, directory: Path) -> bool:
    """One that fits, behind the last."""
    path, lines = [each for each in lines_of(directory) if each[1]][-1]
    place = Place(json.loads(lines[-1])["number"], hash_of(lines[-1][:-1]))
    path.write_bytes(b"".join(lines) + write_entry(place, entry(chance, 1)) + b"\n")
    return True


def sign_with_another_key(chance: random.Random, directory: Path) -> bool:
    """A line more, a checkpoint and a head, all of another key."""
    path, lines = [each for each in lines_of(directory) if each[1]][-1]
    place = Place(json.loads(lines[-1])["number"], hash_of(lines[-1][:-1]))
    added = write_entry(place, entry(chance, 1))
    place = place.after(added)
    checkpoint = write_checkpoint(place, Signed(at=write_time(0), why="time"), OTHERS)
    place = place.after(checkpoint)
    path.write_bytes(b"".join(lines) + added + b"\n" + checkpoint + b"\n")
    (directory / HEAD).write_bytes(write_head(place, place, OTHERS))
    return True


def remove_the_head(_: random.Random, directory: Path) -> bool:
    (directory / HEAD).unlink()
    return True


CHANGES: list[Change] = [
    change_an_octet, rewrite_a_value, exchange_what_is_sealed, rewrite_all_behind_it, remove_lines,
    swap_lines, repeat_a_line, cut_the_end, remove_a_file, add_a_line, sign_with_another_key, remove_the_head,
]  # fmt: skip


@pytest.fixture
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What is tested is the log, not the disk: a directory in memory, where there is one."""
    monkeypatch.setattr(log_file.os, "fdatasync", lambda _: None)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory)


def tampered(directory: Path, runs: int) -> Iterator[tuple[int, Path, str]]:
    for seed in range(runs):
        chance = random.Random(seed)
        folder = directory / str(seed)
        write(chance, folder)
        assert verify(folder, KEY.public_key()).findings == [], seed
        change = chance.choice(CHANGES)
        if change(chance, folder):
            yield seed, folder, change.__name__
        shutil.rmtree(folder)


def test_every_change_without_the_key_is_found(fast_disk: Path) -> None:
    seen: dict[str, int] = {}
    for seed, folder, change in tampered(fast_disk, RUNS):
        assert not verify(folder, KEY.public_key()).is_sound, (seed, change)
        seen[change] = seen.get(change, 0) + 1
    assert set(seen) == {each.__name__ for each in CHANGES}


def test_files_that_expired_are_removed_in_good_order_and_no_others(fast_disk: Path) -> None:
    several = 0
    for seed in range(RUNS // 3):
        chance, folder = random.Random(seed), fast_disk / str(seed)
        write(chance, folder)
        files = log_files(folder)
        kept = chance.randrange(len(files))
        for age, path in enumerate(reversed(files)):
            os.utime(path, (1000.0 - age, 1000.0 - age))
        log = LogFile(folder, KEY, lambda: 1_797_000_000.0)
        removed = log.expire(1000.0 - kept)
        several += removed > 1
        log.close()
        assert [path for path in files if path.exists()] == files[removed:]
        report = verify(folder, KEY.public_key())
        assert report.findings == [], seed
        assert (report.first > 1) is (removed > 0)
        left = log_files(folder)
        if len(left) > 1:
            left[0].unlink()
            assert not verify(folder, KEY.public_key()).is_sound, seed
        shutil.rmtree(folder)
    assert several


def test_what_was_changed_before_the_next_process_began_is_found_behind_it_too(fast_disk: Path) -> None:
    """The next process writes on behind whatever is there, and a new head."""
    for seed, folder, change in tampered(fast_disk, RUNS // 3):
        if change == "sign_with_another_key":
            continue  # also told by the head as it was
        try:
            log = LogFile(folder, KEY, lambda: 1_797_000_000.0)
        except OSError:
            continue  # it does not begin over a last line that is none
        log.close()
        assert not verify(folder, KEY.public_key()).is_sound, (seed, change)
