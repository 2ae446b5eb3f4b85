"""The supervisor's page beside a real Tonewall: calls that went by are counted, and one that is up
is taken over in it."""

from __future__ import annotations

import csv
import io

import httpx
from playwright.async_api import async_playwright, expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.canary import CANARY
from tests.stack import PATIENCE, TOKEN, until
from tests.wire.conftest import Peers
from tests.wire.line import line

SUE, ANN = "supervisor-under-test-0001", "agent-under-test-of-anns"
EXTRA = {
    "api": {
        "tokens": f"test:{TOKEN}, sue:{SUE}, ann:{ANN}",
        "roles": "test:agent+supervisor+integration, sue:supervisor, ann:agent",
        "extensions": "ann:100",
    }
}
WAIT = PATIENCE * 1000  # ms


async def test_a_supervisor_sees_what_went_by_and_takes_a_payment_over(peers: Peers) -> None:
    async with line(peers, extra=EXTRA) as wire:
        stack = wire.stack
        headers = {"Authorization": f"Bearer {SUE}"}
        async with httpx.AsyncClient(base_url=stack.api_url, headers=headers, trust_env=False) as sue:
            call = await wire.dial()
            await wire.keyed(call, CANARY.keys, "order-1")
            assert (await stack.submit(call))["type"] == "approved"
            await wire.hang_up()
            await wire.no_sessions()

            async def counted() -> bool:
                found = (await sue.get("/v1/statistics")).json()
                return bool(sum(found["calls"]["ended"]) and sum(found["payments"]["approved"]))

            await until(counted, "the call and its payment to be counted")
            found = (await sue.get("/v1/statistics", params={"hours": 24})).json()
            assert [(each["name"], each["legs"], each["answered"]) for each in found["trunks"]] == [
                ("carrier", 1, 1), ("pbx", 1, 1),
            ]  # fmt: skip
            assert [(each["name"], each["approved"]) for each in found["agents"]] == [("test", 1)]
            assert [each["circuit"] for each in found["providers"]] == ["closed"]
            table = (await sue.get("/v1/statistics/table", params={"table": "payments"})).text
            assert sum(int(row["approved"]) for row in csv.DictReader(io.StringIO(table))) == 1
            refused = await sue.get("/v1/statistics", headers={"Authorization": f"Bearer {ANN}"})
            assert refused.status_code == 403

        call = await wire.dial()
        await stack.start_capture(call, transaction="order-2")
        await wire.key("4242")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page(locale="en-GB")
            page.set_default_timeout(WAIT)
            await page.goto(f"{stack.api_url}/supervisor")
            await page.locator("#token").fill(SUE)
            await page.keyboard.press("Enter")
            row = page.locator("#live tr")
            await expect(row).to_contain_text("card is keyed", timeout=WAIT)
            await expect(page.locator("#tiles")).to_contain_text("100%", timeout=WAIT)
            await row.get_by_role("button", name="Take over").click()
            await row.get_by_role("button", name="Yes, take over: test").click()
            await expect(page.locator("#announce")).to_contain_text("is yours", timeout=WAIT)
            view = (await stack.api.get(f"/v1/calls/{call}")).json()
            assert (view["capture"]["agent"], view["capture"]["taken_over_by"]) == ("sue", ["sue"])
            assert "4242" not in await page.inner_text("body")
            await wire.hang_up()
            await expect(page.locator("#live-none")).to_be_visible(timeout=WAIT)
            await browser.close()
        await wire.no_sessions()
