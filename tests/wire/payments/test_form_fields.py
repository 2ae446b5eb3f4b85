"""A direct-debit form through a whole Tonewall: the customer keys accounts, a date and a secret by
telephone, the agent sees dots and hears nothing, and the company's own service gets the fields."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tests.canary_fields import CANARY_FIELDS, find_fields, scan_for_fields
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line
from tests.wire.paying import without_complaint
from tests.wire.payments.till import LocalProvider, local_provider

FORM = {
    "general": {"release_time": "5"},
    "field iban": {"countries": "AT, DE"},
    "field pin": {"min_length": "6", "max_length": "6"},
    "form": {},
    "form direct-debit": {
        "fields": "sort_code, account_number, birth_date, iban, pin",
        "confirm": "account_number",
        "optional": "pin",
        "result": "deliver",
        "deliver_to": "crm",
    },
}
ORDER = {"transaction_id": "mandate-1", "form": "direct-debit", "country": "DE"}
OTHER = "82953618"


def settings(service: LocalProvider) -> dict[str, dict[str, str]]:
    account = {
        "adapter": "delivery", "url": service.url, "ca_file": service.ca_file, "api_key": service.api_key,
        "token_type": "none",
    }  # fmt: skip
    return {**FORM, "provider crm": account}


async def field(wire: Line, call: str, name: str, **wanted: Any) -> dict[str, Any]:
    """A field of the newest capture, once it is so."""

    async def there() -> dict[str, Any] | None:
        capture = (await wire.stack.call(call))["capture"]
        found = next((each for each in capture["fields"] if each["field"] == name), {})
        return found if wanted.items() <= found.items() else None

    return await until(there, f"{name} with {wanted}")


async def start(wire: Line, call: str, country: str = "DE") -> None:
    order = {**ORDER, "country": country}
    answer = await wire.stack.api.post(f"/v1/calls/{call}/capture", json=order)
    assert answer.status_code == 201, answer.text
    await wire.stack.stage(call, "collecting")


async def test_a_direct_debit_form_is_keyed_and_delivered_and_the_agent_sees_dots_alone(
    peers: Peers, tmp_path: Path
) -> None:
    with local_provider(tmp_path / "service", "--adapter", "delivery") as service:
        async with line(peers, extra=settings(service)) as wire, without_complaint(wire.stack):
            call = await wire.dial()
            async with wire.feed() as feed:
                await start(wire, call)
                await wire.key(f"{CANARY_FIELDS['sort_code']}#")
                await field(wire, call, "sort_code", complete=True)
                account = CANARY_FIELDS["account_number"]
                await wire.key(f"{account}#")
                await field(wire, call, "account_number", complete=True)
                await wire.key(OTHER)
                refused = await field(wire, call, "account_number", rejected=1)
                assert (refused["reason"], refused["count"]) == ("entries_differ", 0)
                await wire.key(f"*{account}#")
                await field(wire, call, "account_number", complete=True)
                await wire.key(f"{account}#")
                await field(wire, call, "account_number_again", complete=True)
                await wire.key("19730817")
                slip = await field(wire, call, "birth_date", rejected=1)
                assert slip["reason"] == "date_year_first"
                await wire.key(f"*{CANARY_FIELDS['birth_date']}#")
                await field(wire, call, "birth_date", complete=True)
                await wire.key(f"{CANARY_FIELDS['iban']}#")
                await field(wire, call, "iban", complete=True)
                await wire.key(f"{CANARY_FIELDS['pin']}#")
                ready = await wire.stack.stage(call, "ready")
                assert ready["shown"] == {"account_number": account[-3:], "iban": CANARY_FIELDS["iban"][-4:]}
                assert (ready["last_four"], ready["brand"]) == (None, None)
                if os.geteuid() == 0:
                    # The vault's page is locked away from other processes: none has a copy.
                    for kind in ("media", "b2bua", "supervisor"):
                        for pid in wire.stack.pids()[kind]:
                            assert scan_for_fields(pid) == [], kind
                outcome = await wire.stack.submit(call)
                assert outcome["type"] == "approved", outcome
                records = service.report()["records"]
                assert [each["transaction_id"] for each in records] == ["mandate-1"]
                assert records[0]["beside"]["names"] == list(CANARY_FIELDS)
                assert records[0]["beside"]["metadata"]["iban_country"] == "DE"
                digits = max(CANARY_FIELDS.values(), key=len) + "".join(CANARY_FIELDS.values())
                assert records[0]["digits_sha256"] == hashlib.sha256(digits.encode()).hexdigest()
                assert wire.agent.seen("dtmf") == 0
                await wire.hang_up()
                await wire.no_sessions()
                told = bytes(feed.raw).decode()
            assert find_fields(told, name="feed") == []
            assert find_fields(json.dumps(wire.stack.records()), name="records") == []
            files = [each for each in wire.stack.directory.rglob("*") if each.is_file()]
            assert find_fields([each for each in files if "service" not in each.parts]) == []
            for pid in (pid for pids in wire.stack.pids().values() for pid in pids):
                if os.geteuid() == 0:
                    assert scan_for_fields(pid) == []


async def test_a_second_entry_is_asked_for_in_words_of_its_own(peers: Peers, tmp_path: Path) -> None:
    with local_provider(tmp_path / "service", "--adapter", "delivery") as service:
        extra = settings(service)
        extra["form direct-debit"] = {
            **extra["form direct-debit"],
            "fields": "account_number, birth_date",
            "optional": "",
            "prompts": "placeholder",
        }
        async with line(peers, extra=extra) as wire, without_complaint(wire.stack), wire.feed() as feed:
            await until(lambda: '"prompts_prepared"' in wire.stack.log.read_text(), "the prompts")
            call = await wire.dial()

            def shown() -> list[str]:
                """The prompts that were played, one after another."""
                names = [each for view in feed.views(call) for each in view.get("prompts", ())]
                return [name for name, before in zip(names, ["", *names], strict=False) if name != before]

            await start(wire, call, country="")
            account, expected = CANARY_FIELDS["account_number"], ["account_number"]
            for keys, prompt in (
                (account, "account_number.confirm"),
                (OTHER, "account_number.error.entries_differ"),
                (f"*{account}#", "account_number.confirm.2"),
                (f"{account}#", "birth_date"),
            ):
                await wire.key(keys)
                expected.append(prompt)
                await until(lambda: shown() == expected, f"the prompts {expected}")
            await wire.hang_up()
