"""Real charges: the payer process, its socket pair, HTTPS with the local provider, and everything
that can go wrong.

After each test: the provider charged at most once, and no digit of the card stands in the payer's
output or the journal.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provider_adapters.card import FIELDS
from provider_adapters.payer.journal import Journal
from provider_adapters.payer.messages import ChargeRequest, Ready
from provider_adapters.payer.pipe import PayerGone, PayerPipe
from provider_adapters.payment import Approved, Charge, Declined, Failed, PartiallyApproved, Unknown
from tests.wire.payments import till as till_module
from tests.wire.payments.till import (
    CARDS,
    CODE,
    EXPIRY,
    PATIENCE,
    LocalProvider,
    Till,
    copies,
    keyed,
    local_provider,
    spend,
    watched_till,
)
from tonewall.frames import pack


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProvider]:
    with local_provider(tmp_path_factory.mktemp("provider"), "--delay", "1.5") as running:
        yield running


@pytest.fixture
def till(tmp_path: Path, provider: LocalProvider) -> Iterator[Till]:
    with watched_till(tmp_path, provider) as made:
        yield made


@pytest.fixture
def key() -> str:
    # Letters only: the tests look for digits of cards where keys are printed too.
    return "".join(chr(ord("a") + int(sign, 16)) for sign in uuid.uuid4().hex)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.02)


# --- the answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["4111111111111111", "5555555555554444", "378282246310005"])
async def test_an_approved_card_gives_reference_and_token_and_every_digit_arrives_in_order(
    till: Till, provider: LocalProvider, key: str, number: str
) -> None:
    _, pipe = await till.payer()
    charge = Charge(idempotency_key=key, transaction_id="t-1", amount=1999, currency="EUR")
    outcome = await pipe.spend(charge, keyed(number, EXPIRY, CODE))
    assert isinstance(outcome, Approved)
    assert outcome.reference.startswith("ch_")
    assert outcome.token
    record = provider.record(key)
    assert record is not None
    assert (record["amount"], record["currency"], record["last_four"]) == (1999, "EUR", number[-4:])
    assert record["charges"] == 1
    assert record["digits_sha256"] == hashlib.sha256((number + EXPIRY + CODE).encode()).hexdigest()
    assert Journal(till.journal).lookup(key).outcome == outcome  # type: ignore[union-attr]


async def test_a_declined_card_says_why(till: Till, key: str) -> None:
    assert await till.pay("insufficient_funds", key) == Declined(
        reason="insufficient_funds", message="There is not enough money on the account."
    )


async def test_a_partial_approval_is_one_and_what_was_approved_instead_is_unknown_and_an_error_in_the_log(
    till: Till, key: str
) -> None:
    partial = await till.pay("partial", key)
    assert isinstance(partial, PartiallyApproved)
    assert (partial.amount, bool(partial.token)) == (999, True)
    assert "error" not in levels(till)
    assert await till.pay("other_currency", f"{key}-c") == Unknown(reason="currency_differs")
    assert await till.pay("too_much", f"{key}-m") == Unknown(reason="amount_differs")
    assert levels(till).count("error") == 2
    assert Journal(till.journal).lookup(key).outcome == partial  # type: ignore[union-attr]


def levels(till: Till) -> list[str]:
    """The level of every line that the payers printed."""
    return [json.loads(line)["level"] for line in till.printed.decode().splitlines()]


async def test_an_answer_that_quotes_the_card_is_withheld(till: Till, key: str) -> None:
    assert await till.pay("declined_quoting", key) == Declined(reason="invalid_number", message="")


async def test_wrong_credentials_are_a_failure(till: Till, provider: LocalProvider, key: str) -> None:
    assert await till.pay("approved", key, api_key="wrong") == Failed(reason="unauthorised")
    assert provider.record(key) is None
    assert b"wrong" not in till.printed


# --- the faults: nothing is charged twice ---------------------------------------------------------


@pytest.mark.parametrize("name", ["error_charged", "cut_charged", "closed_charged"])
async def test_a_charge_whose_answer_was_lost_is_found_by_asking(
    till: Till, provider: LocalProvider, key: str, name: str
) -> None:
    assert isinstance(await till.pay(name, key), Approved)
    record = provider.record(key)
    assert record is not None
    assert record["charges"] == 1


@pytest.mark.parametrize("name", ["error_not_charged", "closed_not_charged"])
async def test_a_charge_that_the_provider_lost_is_a_failure(
    till: Till, provider: LocalProvider, key: str, name: str
) -> None:
    assert await till.pay(name, key) == Failed(reason="no_such_charge")
    assert provider.record(key) is None


async def test_a_late_answer_is_waited_for_by_asking(till: Till, provider: LocalProvider, key: str) -> None:
    assert isinstance(await till.pay("late_charged", key, timeout="0.5", inquiry_time="20"), Approved)
    record = provider.record(key)
    assert record is not None
    assert record["charges"] == 1


async def test_a_provider_that_never_says_leaves_the_charge_unknown(
    till: Till, provider: LocalProvider, key: str
) -> None:
    outcome = await till.pay("late_charged", key, timeout="0.4", inquiry_time="0.3")
    assert outcome == Unknown(reason="no_answer_in_time")
    assert await till.pay("late_charged", key) == outcome  # the journal remembers; nothing is sent
    await until(lambda: bool((provider.record(key) or {}).get("charges")))
    assert Journal(till.journal).lookup(key).outcome == outcome  # type: ignore[union-attr]


async def test_a_key_that_an_inquiry_closed_is_not_charged_later(
    till: Till, key: str, tmp_path: Path
) -> None:
    assert await till.pay("error_not_charged", key) == Failed(reason="no_such_charge")
    # The same request once more, as a proxy might deliver it late: another journal knows nothing of
    # it.
    assert await till.pay("approved", key, journal=str(tmp_path / "other.jsonl")) == Failed(
        reason="key_closed"
    )


async def test_the_same_key_is_sent_once_and_answered_from_the_journal(
    till: Till, provider: LocalProvider, key: str
) -> None:
    before = provider.report()["requests"]
    first = await till.pay("approved", key)
    assert isinstance(first, Approved)
    assert await till.pay("approved", key) == first
    assert await till.pay("approved", key, amount=2000) == Failed(reason="key_of_another_charge")
    assert provider.report()["requests"] == before + 1


async def test_of_two_payers_with_one_key_one_sends(till: Till, provider: LocalProvider, key: str) -> None:
    before = provider.report()["requests"]
    pipes = [(await till.payer())[1] for _ in range(2)]
    outcomes = await asyncio.gather(*(spend(pipe, "approved", key) for pipe in pipes))
    assert any(isinstance(outcome, Approved) for outcome in outcomes)
    assert all(
        isinstance(outcome, Approved) or outcome == Unknown(reason="already_sent") for outcome in outcomes
    )
    assert provider.report()["requests"] == before + 1


async def test_an_unknown_authority_is_refused_before_anything_is_sent(
    till: Till, key: str, tmp_path: Path
) -> None:
    with local_provider(tmp_path / "unknown", "--unknown-ca") as stranger:
        outcome = await till.pay("approved", key, url=stranger.url, ca_file=stranger.ca_file)
    assert outcome == Failed(reason="certificate_not_trusted")


async def test_the_public_authorities_do_not_know_the_local_one(till: Till, key: str) -> None:
    assert await till.pay("approved", key, ca_file="") == Failed(reason="certificate_not_trusted")


async def test_a_certificate_of_another_host_is_refused(till: Till, key: str, tmp_path: Path) -> None:
    with local_provider(tmp_path / "other", "--host", "127.0.0.2") as other:
        outcome = await till.pay("approved", key, url=other.url, ca_file=other.ca_file)
    assert outcome == Failed(reason="certificate_not_trusted")


async def test_a_provider_that_is_not_there_is_a_failure(till: Till, key: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"https://127.0.0.1:{nobody.getsockname()[1]}"
        assert await till.pay("approved", key, url=url) == Failed(reason="no_connection")


async def test_a_journal_that_cannot_be_written_keeps_the_payer_from_getting_ready(till: Till) -> None:
    with pytest.raises(PayerGone):
        await till.payer(journal="/proc/no/journal.jsonl")


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read a payer's memory")
async def test_once_a_charge_was_sent_the_card_stands_in_its_locked_page_only(
    till: Till, key: str, tmp_path: Path
) -> None:
    number = CARDS["late_charged"]
    with local_provider(tmp_path / "slow", "--delay", "600") as slow:
        process, pipe = await till.payer(url=slow.url, ca_file=slow.ca_file, timeout="1", inquiry_time="60")
        assert copies(process.pid, number) == 0
        charging = asyncio.create_task(spend(pipe, "late_charged", key))
        await until(lambda: slow.record(key) is not None)
        # The request waits for its answer, and the scan finds what is there.
        assert copies(process.pid, number) > 1
        await until(lambda: b"charge_unclear" in till.printed)
        await until(lambda: copies(process.pid, number) == 1)
        assert copies(process.pid, f'"{CODE}"') == 0
        assert not charging.done()
        process.kill()
        assert await charging == Unknown(reason="payer_gone")


# --- starting and dying ---------------------------------------------------------------------------


async def test_a_plain_http_url_is_refused_with_a_clear_error(till: Till) -> None:
    process, ours = till.start(url="http://127.0.0.1:1")
    with ours, pytest.raises(PayerGone):
        await PayerPipe(ours).ready()
    assert await asyncio.to_thread(process.wait, PATIENCE) == 78
    assert b"[provider] url: expected a URL that begins with https://" in till.printed


async def test_a_payer_does_not_start_where_freed_memory_is_not_overwritten(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(till_module, "card_environment", lambda own: own)
    process, ours = till.start()
    ours.close()
    assert await asyncio.to_thread(process.wait, PATIENCE) == 78
    assert b"freed memory is not overwritten" in till.printed


async def test_a_payer_exits_when_media_goes(till: Till) -> None:
    process, pipe = await till.payer()
    assert pipe.alive()
    pipe.close()
    assert await asyncio.to_thread(process.wait, PATIENCE) == 0


async def test_a_payer_that_finds_media_gone_as_it_starts_exits_without_a_word(till: Till) -> None:
    process, ours = till.start()
    ours.close()
    await until(lambda: process.poll() is not None)
    assert process.returncode == 0
    assert b'"level":"error"' not in till.printed


async def test_a_payer_exits_after_one_charge(till: Till, key: str) -> None:
    process, pipe = await till.payer()
    await spend(pipe, "approved", key)
    assert await asyncio.to_thread(process.wait, PATIENCE) == 0
    with pytest.raises(RuntimeError):
        await spend(pipe, "approved", key)


async def test_a_payer_that_died_before_the_card_was_handed_over_is_a_failure(till: Till, key: str) -> None:
    process, pipe = await till.payer()
    process.kill()
    await asyncio.to_thread(process.wait)
    await until(lambda: not pipe.alive())
    assert await spend(pipe, "approved", key) == Failed(reason="payer_gone")


async def test_a_payer_killed_while_it_charges_leaves_unknown_and_is_not_repeated(
    till: Till, provider: LocalProvider, key: str
) -> None:
    process, pipe = await till.payer()
    charging = asyncio.create_task(spend(pipe, "late_charged", key))
    await until(lambda: provider.record(key) is not None)
    process.kill()
    assert await charging == Unknown(reason="payer_gone")
    assert await till.pay("late_charged", key) == Unknown(reason="already_sent")
    await until(lambda: bool((provider.record(key) or {}).get("charges")))


async def test_a_charge_goes_on_to_its_end_when_media_dies_and_whoever_started_it_stops(
    till: Till, provider: LocalProvider, key: str
) -> None:
    process, pipe = await till.payer()
    charging = asyncio.create_task(spend(pipe, "late_charged", key))
    await until(lambda: provider.record(key) is not None)
    process.terminate()
    charging.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await charging
    pipe.close()
    assert await asyncio.to_thread(process.wait, PATIENCE) == 0
    assert isinstance(Journal(till.journal).lookup(key).outcome, Approved)  # type: ignore[union-attr]


async def test_a_silent_payer_is_given_up_after_its_patience(key: str) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(pack(Ready(pid=1, patience=0.1)))
        pipe = PayerPipe(ours)
        await pipe.ready()
        assert await spend(pipe, "approved", key) == Unknown(reason="payer_silent")


@pytest.mark.parametrize("cut", [1, 4, 20, -1])
async def test_a_card_that_did_not_arrive_whole_is_discarded(till: Till, key: str, cut: int) -> None:
    process, ours = till.start()
    with ours:
        frame = pack(
            ChargeRequest(
                charge=Charge(idempotency_key=key, transaction_id="t", amount=1, currency="EUR"),
                fields=tuple(zip(FIELDS, (16, 4, 4), strict=True)),
            )
        ) + (CARDS["declined"] + EXPIRY + CODE).encode()  # fmt: skip
        await asyncio.to_thread(ours.recv, 1)
        ours.sendall(frame[:cut])
        ours.shutdown(socket.SHUT_WR)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0
    assert Journal(till.journal).lookup(key) is None


@pytest.mark.parametrize(
    ("sent", "printed"),
    [
        (b"\xff\xff\xff\xff", b"BadFrame"),
        (b"\x00\x00\x00\x02{}", b"BadFrame"),
        (b"\x00\x00\x00\x01\x80", b"BadFrame"),
    ],
)
async def test_what_is_no_request_ends_the_payer(till: Till, sent: bytes, printed: bytes) -> None:
    process, ours = till.start()
    with ours:
        await asyncio.to_thread(ours.recv, 1)
        ours.sendall(sent)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 1
    assert printed in till.printed


async def test_lengths_that_no_card_has_are_refused(till: Till, key: str) -> None:
    _, pipe = await till.payer()
    charge = Charge(idempotency_key=key, transaction_id="t", amount=1, currency="EUR")
    assert await pipe.spend(charge, keyed("1234", "1229", "")) == Failed(reason="bad_card")
    _, pipe = await till.payer()
    assert await pipe.spend(charge, keyed("x" * 16, "1229", "")) == Failed(reason="bad_card")


async def test_twenty_charges_at_once_are_twenty_charges(
    till: Till, provider: LocalProvider, key: str
) -> None:
    before = provider.report()["charges"]
    payers = await asyncio.gather(*(till.payer() for _ in range(20)))
    outcomes = await asyncio.gather(
        *(
            spend(pipe, "approved", f"{key}-{chr(ord('a') + number)}")
            for number, (_, pipe) in enumerate(payers)
        )
    )
    assert all(isinstance(outcome, Approved) for outcome in outcomes)
    assert provider.report()["charges"] == before + 20
