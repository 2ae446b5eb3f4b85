"""Payers without media: real payer processes that get cards over their socket pairs, and the local
provider that they charge."""

import asyncio
import contextlib
import json
import re
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provider_adapters.card import FIELDS
from provider_adapters.local.books import BEHAVIOURS
from provider_adapters.payer.pipe import PayerPipe
from provider_adapters.payment import Charge, Outcome
from tonewall.process import card_environment

ROOT = Path(__file__).parents[3]
CARDS = {behaviour.name: number for number, behaviour in BEHAVIOURS.items()}
EXPIRY, CODE = "1129", "8365"
PATIENCE = 30.0


@dataclass
class LocalProvider:
    url: str
    ca_file: str
    api_key: str
    tls_certificate: str = ""
    tls_key: str = ""
    encryption_key_file: str = ""

    def report(self) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.tls_certificate:
            context.load_cert_chain(self.tls_certificate, self.tls_key)
        with urllib.request.urlopen(f"{self.url}/test/charges", context=context) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def record(self, key: str) -> dict[str, Any] | None:
        return next((row for row in self.report()["records"] if row["idempotency_key"] == key), None)


@contextlib.contextmanager
def local_provider(directory: Path, *options: str) -> Iterator[LocalProvider]:
    command = [
        sys.executable,
        "-m",
        "provider_adapters.local.provider",
        "--directory",
        str(directory),
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        try:
            assert process.stdout is not None
            yield LocalProvider(**json.loads(process.stdout.readline()))
        finally:
            process.terminate()


@dataclass
class Till:
    """Starts payers, hands them cards, and keeps everything that they print."""

    directory: Path
    provider: LocalProvider
    changes: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    pipes: list[PayerPipe] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        return self.directory / "journal.jsonl"

    @property
    def printed(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.directory.glob("*.out")))

    def start(self, **changes: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
        values = {
            "adapter": "connector", "url": self.provider.url, "api_key": self.provider.api_key,
            "ca_file": self.provider.ca_file, "journal": str(self.journal), "timeout": "5",
            "inquiry_time": "5",
            "token_type": "one_time",
        } | self.changes | changes  # fmt: skip
        environment = card_environment(
            {f"TONEWALL_PROVIDER_{key.upper()}": value for key, value in values.items()}
        )
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-m",
            "provider_adapters.payer.process",
            "--fd",
            str(theirs.fileno()),
            "--log-level",
            "debug",
        ]
        with theirs, (self.directory / f"{len(self.processes)}.out").open("wb") as out:
            process = subprocess.Popen(
                command, env=environment, cwd=ROOT, pass_fds=[theirs.fileno()], stdout=out, stderr=out
            )
        self.processes.append(process)
        return process, ours

    async def payer(self, **changes: str) -> tuple[subprocess.Popen[bytes], PayerPipe]:
        process, ours = self.start(**changes)
        pipe = PayerPipe(ours)
        self.pipes.append(pipe)
        async with asyncio.timeout(PATIENCE):
            await pipe.ready()
        return process, pipe

    async def pay(self, name: str, key: str, amount: int = 1999, **changes: str) -> Outcome:
        _, pipe = await self.payer(**changes)
        return await spend(pipe, name, key, amount)

    def close(self) -> None:
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.kill()
            process.wait()


def keyed(*texts: str) -> dict[str, memoryview]:
    """The fields of a card as the vault hands them over."""
    return {name: memoryview(bytearray(text, "ascii")) for name, text in zip(FIELDS, texts, strict=True)}


async def spend(pipe: PayerPipe, name: str, key: str, amount: int = 1999, **changes: Any) -> Outcome:
    """Hand the card of this name over, and wait for what becomes of the charge of 19.99 EUR."""
    values = {"idempotency_key": key, "transaction_id": f"t-{key}", "amount": amount, "currency": "EUR"}
    charge = Charge(**values | changes)
    digits = keyed(CARDS[name], EXPIRY, CODE)
    waiting = pipe.spend(charge, digits)
    for view in digits.values():
        view[:] = bytes(len(view))  # they are in the socket already
    return await waiting


@contextlib.contextmanager
def watched_till(directory: Path, provider: LocalProvider, **changes: str) -> Iterator[Till]:
    """A till whose payers wrote no digit and charged each key once at most, when it closes.
    `changes`: keys of the account."""
    made = Till(directory, provider, changes)
    yield made
    made.close()
    everything = made.printed + (made.journal.read_bytes() if made.journal.exists() else b"")
    for digits in (*CARDS.values(), EXPIRY + CODE):
        assert digits.encode() not in everything.replace(b" ", b""), "digits of a card were written"
    # Alone, so that a time or a hash that happens to hold them is not taken for the code.
    assert not re.search(rb"(?<![\w.])" + CODE.encode() + rb"(?!\w)", everything), (
        "a security code was written"
    )
    assert b"Traceback" not in made.printed
    assert all(record["charges"] <= 1 for record in provider.report()["records"])


def copies(pid: int, digits: str) -> int:
    """How often the digits stand in the readable memory of a process, as bytes or as wide
    characters."""
    forms = [digits.encode(code) for code in ("ascii", "utf-16-le", "utf-32-le")]
    count = 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access, *_ = line.split()
            start, end = (int(bound, 16) for bound in span.split("-"))
            with contextlib.suppress(OSError, OverflowError):  # the kernel's own pages
                memory.seek(start)
                block = memory.read(end - start) if access[0] == "r" else b""
                count += sum(block.count(form) for form in forms)
    return count
