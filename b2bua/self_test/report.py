"""Writes the report of a self-test, signed, and reads those of a period.

A report is two files: `self-test-TIME.json` and its signature beside it, `.sig` (Ed25519, base64).
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from b2bua.self_test.trial import Reached, Trial

PATTERN: Final = "self-test-*.json"
_PURPOSE: Final = b"tonewall self-test\n"  # never taken for another signature of the key


def write_report(trial: Trial, directory: Path, key: Ed25519PrivateKey | None) -> Path:
    """Write a report, signed where there is a key; its path. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = "".join(each for each in trial.at if each.isalnum())
    path = directory / f"self-test-{stamp}.json"
    text = msgspec.json.format(msgspec.json.encode(trial), indent=1) + b"\n"
    if key is not None:
        _write(signature_of(path), base64.b64encode(key.sign(_PURPOSE + text)) + b"\n")
    _write(path, text)
    return path


def read_report(path: Path, key: Ed25519PublicKey) -> tuple[Trial, bool]:
    """A report, and whether the key signed it. Raises OSError, and msgspec.MsgspecError for what is
    none."""
    text = path.read_bytes()
    trial = msgspec.json.decode(text, type=Trial)
    try:
        key.verify(base64.b64decode(signature_of(path).read_bytes()), _PURPOSE + text)
    except (OSError, ValueError, InvalidSignature):
        return trial, False
    return trial, True


def signature_of(path: Path) -> Path:
    """The file of a report's signature."""
    return path.with_name(f"{path.name}.sig")


def describe_trial(trial: Trial) -> list[str]:
    """A report for people."""
    lines = [f"self-test of {trial.number} at {trial.at}: {trial.result}", f"  {trial.why}"]
    if trial.call:
        lines.append(f"  call {trial.call}")
        lines.append(
            f"  control: {trial.control_pressed} keys pressed unmasked, {_words(trial.control)} arrived"
        )
    for each in trial.rounds:
        lines.append(f"  {each.form}: masked since {each.masked_since}, until {each.ended_at}")
        lines.append(
            f"    {each.pressed} keys pressed, {each.media} counted by media, {_words(each.reached)} reached "
            f"the agent's side in {each.packets} packets"
        )
        lines.append(f"    the keys, for a search in recordings and logs: {each.keys}")
    return lines


def _words(found: Reached) -> str:
    return f"{found.events} events, {found.tones} tones, {found.sip_infos} SIP INFOs"


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
