"""What is kept on a customer is exported and erased by number, with `tonewall personal-data`; the
number's octets are gone from every file."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from b2bua.audit.signing_key import make_key
from tests.stack import until
from tests.wire.handmade import Customer
from tests.wire.numbered import CALLEE, CALLER, Numbered, numbered, traces

KEY = Path(__file__).parents[2] / "fixtures" / "pseudonym-key"
NATIONAL = {"numbers": "national", "country": "44"}
ORDER = {"amount": 4995, "currency": "EUR"}
OTHER = "+441632960148"


async def tonewall(at: Numbered, *arguments: str, given: str = "") -> tuple[int, str]:
    """The status of `tonewall personal-data`, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "personal-data", *arguments, "-c", str(at.stack.conf),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate(given.encode())
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def exported(at: Numbered, number: str) -> dict[str, Any]:
    status, printed = await tonewall(at, "export", "--number", number)
    assert status == 0, printed
    return json.loads(printed)


async def live(at: Numbered, customer: Customer) -> str:
    """The customer calls, in a national form, and pays an order that names the number; others
    call."""
    await at.refused()
    invite = at.invite(caller=OTHER)
    at.carrier.send(invite)
    at.pbx.reply(await at.pbx.hear("INVITE", 30), 486)
    await at.carrier.hear("486", 30)
    national = f'"Ann" <sip:01632960147@{at.carrier.host}>;tag=near'
    call, _ = await at.call(customer, From=national)
    order = ORDER | {
        "transaction_id": "order-1", "description": f"call back {CALLER}",
        "metadata": {"phone": "0044 1632 960147", "city": "Leeds"},
    }  # fmt: skip
    started = await at.stack.api.post(
        f"/v1/calls/{call}/capture", json=order, headers={"Idempotency-Key": "start-1"}
    )
    assert started.status_code == 201, started.text
    await at.stack.stage(call, "collecting")
    return call


@pytest.mark.parametrize("pseudonyms", [False, True], ids=["in clear", "as pseudonyms"])
async def test_a_customer_is_exported_and_erased_by_number(tmp_path: Path, pseudonyms: bool) -> None:
    audit, key = tmp_path / "audit", tmp_path / "audit.pem"
    make_key(key)
    extra = {"audit": {"directory": str(audit), "key_file": str(key)}}
    if pseudonyms:
        extra["cdr"] = {"pseudonym_key_file": str(KEY)}
    async with numbered(tmp_path, extra, **NATIONAL) as at:
        stack, customer = at.stack, Customer(at.carrier)
        try:
            call = await live(at, customer)
            waiting = await stack.api.post(
                "/v1/payments", json=ORDER | {"transaction_id": "order-2", "find_by": {"caller": CALLER}}
            )
            assert waiting.status_code == 201, waiting.text
            await until(lambda: len(stack.records()) == 2, "the records of the calls before")
            # While the call is up, it is left.
            status, printed = await tonewall(at, "erase", "--yes", "--number", CALLER)
            assert (status, "left: 1 calls under way." in printed) == (3, True), printed
            await stack.api.delete(f"/v1/calls/{call}/capture")
            await stack.unmasked(call)
            await at.hang_up(customer)
            await until(lambda: len(stack.records()) == 3, "the records")
            await stack.api.delete(f"/v1/payments/{waiting.json()['id']}")
        finally:
            customer.media.close()

        found = await exported(at, CALLER)
        assert [each["call"] for each in found["calls"]][-1:] == [call]
        assert {each["order"]["transaction_id"] for each in found["payments"]} == {"order-1", "order-2"}
        assert [each["id"] for each in found["ladders"]] == [call]
        assert (await exported(at, "0044 1632 960 147"))["calls"] == found["calls"]
        # Nothing happens without --yes, nor to anybody else.
        before = {each["call"]: each["caller"] for each in stack.records()}
        status, printed = await tonewall(at, "erase", "--number", "-", given=f"{CALLER}\n")
        assert (status, "would be erased: 1 calls" in printed) == (0, True), printed
        assert {each["call"]: each["caller"] for each in stack.records()} == before
        _, printed = await tonewall(at, "erase", "--yes", "--number", "+441632960149")
        assert printed.startswith("erased: nothing")

        async def erased() -> bool:
            return (await tonewall(at, "erase", "--yes", "--number", CALLER))[0] == 0

        await until(erased, "nothing to be left")
        found = await exported(at, CALLER)
        assert [found[name] for name in ("calls", "payments", "others", "ladders")] == [[], [], [], []]
        payments = (await stack.api.get("/v1/payments", params={"transaction_id": "order-1"})).json()
        assert payments[0]["order"]["metadata"] == {"phone": "erased", "city": "Leeds"}
        assert payments[0]["order"]["amount"] == 4995
        kept = {each["call"]: (each["caller"], each["callee"]) for each in stack.records()}
        assert kept[call] == ("erased", CALLEE)
        assert len(kept) == 3
        assert [caller for caller, _ in kept.values()].count("erased") == 2
        assert len((await exported(at, OTHER))["calls"]) == 1
        # Every octet is gone while it runs, and stays gone.
        assert traces(tmp_path, CALLER, "44") == []
    assert traces(tmp_path, CALLER, "44") == []
    noted = "".join(path.read_text() for path in audit.iterdir())
    for what in ("export_personal_data", "erase_personal_data"):
        assert what in noted
