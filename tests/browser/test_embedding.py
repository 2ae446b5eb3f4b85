"""The form in a page of another origin, as an element and in a frame, in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from b2bua.call.obstacle import other_agent
from media.events import Field
from provider_adapters.payment import Approved, Declined
from tests.browser.conftest import Site, fixture
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import embed_token

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
ELEMENT = """<!doctype html><title>CRM</title><link rel="stylesheet" href="crm.css">
<tonewall-payment call="c-1" order="INV-2041" amount="4990" currency="EUR" locale="de-DE"></tonewall-payment>
<script type="module" src="crm.js"></script>
<script type="module" src="{tonewall}/embed/tonewall-payment.js"></script>"""
FRAME = """<!doctype html><title>CRM</title><link rel="stylesheet" href="crm.css"><iframe
src="{tonewall}/embed#call=c-1&amp;order=INV-2041&amp;amount=4990&amp;currency=EUR&amp;locale=en-GB"></iframe>
<script type="module" src="crm.js"></script>"""
STYLE = "tonewall-payment { --tonewall-radius: 3px } tonewall-payment::part(take) { color: rgb(1, 2, 3) }"
# Keeps what the form says, of either kind.
SCRIPT = """window.events = [];
const form = document.querySelector("tonewall-payment");
for (const name of ["ready", "change", "complete", "error"])
  form?.addEventListener(name, ({ detail }) => window.events.push([name, detail]));
addEventListener("message", ({ data, origin }) =>
  window.events.push([data.tonewall, data.detail, origin]));"""


class Crm:
    """A plain page of the company's, under a policy that lets Tonewall in alone. `evil`: the same
    page, of an origin that nobody named."""

    def __init__(self) -> None:
        self.tonewall, self.body = "", ELEMENT
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kinds = {"/crm.js": ("text/javascript", SCRIPT), "/crm.css": ("text/css", STYLE)}
                page = ("text/html", crm.body.replace("{tonewall}", crm.tonewall))
                kind, body = kinds.get(self.path, page)
                self.send_response(200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header(
                    "Content-Security-Policy",
                    f"default-src 'none'; script-src 'self' {crm.tonewall}; style-src 'self'; connect-src "
                    f"{crm.tonewall}; frame-src {crm.tonewall}; require-trusted-types-for 'script'",
                )
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.evil = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def crm() -> Iterator[Crm]:
    crm = Crm()
    yield crm
    crm.close()


@fixture
async def pay(site: Site, crm: Crm, desk: FakeDesk) -> AsyncIterator[Site]:
    """Tonewall, which lets the CRM's page have the form."""
    site.more = {"origins": [crm.url], "frame_ancestors": [crm.url]}
    await site.stop()
    await site.start()
    crm.tonewall = site.url
    desk.up("c-1", agent="ann")
    desk.up("c-2", agent="ben")
    yield site


async def events(page: Page, name: str) -> list[Any]:
    return [each[1] for each in await page.evaluate("window.events") if each[0] == name]


async def give(page: Page, given: str) -> None:
    await page.evaluate(
        "given => document.querySelector('tonewall-payment').setAttribute('token', given)", given
    )


async def test_an_agent_takes_a_payment_in_the_page_of_the_crm(
    page: Page, pay: Site, crm: Crm, desk: FakeDesk
) -> None:
    await page.goto(crm.url)
    form, status = page.locator("tonewall-payment"), page.get_by_role("status")
    await expect(status).to_have_text("Dieses Formular wartet auf seine Seite.")
    await give(page, await embed_token(pay))
    assert await form.get_attribute("token") is None  # it is in no copy of the document
    await expect(status).to_contain_text("Fragen Sie noch nicht")
    start = page.get_by_role("button", name="Kartenzahlung starten: 49,90 €")
    await expect(start).to_have_css("color", "rgb(1, 2, 3)")
    await expect(start).to_have_css("border-radius", "3px")
    await start.click()
    await expect(status).to_contain_text("Noch darf nichts eingegeben werden")
    desk.masked()
    desk.keyed(Field.CARD_NUMBER, 5)
    await expect(page.locator("[data-field=card_number] .dots")).to_have_text("●●●●●")
    desk.key_all()
    await page.get_by_role("button", name="belasten").click()
    desk.finish(Approved(reference="ch_1"))
    await expect(status).to_have_text("49,90 € bezahlt.")
    [done] = await events(page, "complete")
    assert (done["outcome"], done["reference"], done["order"]) == ("approved", "ch_1", "INV-2041")
    assert [each["call"] for each in await events(page, "ready")] == ["c-1"]
    assert any(each["complete"] and each["protected"] for each in await events(page, "change"))
    text = json.dumps(await page.evaluate("window.events"))
    assert "1111" not in text
    assert "tonewall_embed_" not in text


async def test_no_payment_begins_while_the_mask_of_another_agent_s_is_on(
    page: Page, pay: Site, crm: Crm, desk: FakeDesk
) -> None:
    desk.up("c-1", agent="ann", masked=True, still_keying=True, not_capturable=other_agent("bob"))
    await page.goto(crm.url)
    await give(page, await embed_token(pay))
    start = page.get_by_role("button", name="Kartenzahlung")
    await expect(page.get_by_role("status")).to_contain_text("bob")
    await expect(start).to_be_disabled()
    desk.up("c-1", agent="ann", masked=False, still_keying=False, not_capturable=None)
    await expect(start).to_be_enabled()
    await expect(page.get_by_role("status")).not_to_contain_text("bob")


async def test_no_attribute_becomes_html_or_another_path(
    page: Page, pay: Site, crm: Crm, desk: FakeDesk
) -> None:
    await page.goto(crm.url)
    given = await embed_token(pay, expires_in=60)
    await give(page, given)
    await expect(page.get_by_role("button", name="Kartenzahlung")).to_be_enabled()
    evil = "<img src=x onerror='window.stolen = 1'>"
    for name, value, words in [
        ("order", "4000000000000002", "keine gültige Bestellung"), ("amount", "49.90", "keine gültige"),
        ("currency", "__proto__", "keine gültige"), ("order", evil, "Fragen Sie noch nicht"),
        ("call", "../payments?x=", "Warten auf den Anruf"), ("call", evil, "Warten auf den Anruf"),
        ("call", "c-2", "Warten auf den Anruf"),
    ]:  # fmt: skip
        await page.evaluate(
            "pair => document.querySelector('tonewall-payment').setAttribute(...pair)", [name, value]
        )
        await expect(page.get_by_role("status")).to_contain_text(words)
        if name in ("amount", "currency"):
            right = {"amount": "4990", "currency": "EUR"}[name]
            await page.evaluate(
                "pair => document.querySelector('tonewall-payment').setAttribute(...pair)", [name, right]
            )
    assert await page.evaluate("window.stolen") is None
    assert await page.locator("tonewall-payment img").count() == 0
    assert desk.asked == []  # and another agent's call was not reached
    await give(page, "tonewall_embed_of-nobody")
    await expect(page.get_by_role("status")).to_contain_text("neues Token")
    assert (await events(page, "error"))[-1]["code"] == "token"
    await give(page, given)
    await expect(page.get_by_role("status")).to_contain_text("Warten auf den Anruf")


async def test_the_same_in_a_frame_which_hears_the_page_around_it_alone(
    page: Page, pay: Site, crm: Crm, desk: FakeDesk
) -> None:
    crm.body = FRAME
    await page.goto(crm.url)
    inside = page.frame_locator("iframe")
    await expect(inside.get_by_role("status")).to_have_text("This form waits for its page.")
    post = """([token, to]) => document.querySelector("iframe").contentWindow
      .postMessage({ tonewall: "set", token }, to)"""
    await page.evaluate(post, [await embed_token(pay), pay.url])
    await inside.get_by_role("button", name="Take card payment").click()
    desk.masked()
    desk.key_all()
    await inside.get_by_role("button", name="Charge").click()
    desk.finish(Declined(reason="insufficient_funds"))
    await expect(inside.get_by_role("status")).to_have_text("Declined. Nothing was charged.")
    [done] = await events(page, "complete")
    assert done["outcome"] == "declined"
    assert {each[2] for each in await page.evaluate("window.events")} == {pay.url}
    # Its own scripts are not the page around it.
    frame = page.frames[1]
    await frame.evaluate("window.postMessage({ tonewall: 'set', order: 'EVIL' }, location.origin)")
    await inside.get_by_role("button", name="Try again").click()
    await expect(inside.locator(".order")).to_have_text("INV-2041")


async def test_another_origin_gets_neither_the_element_nor_the_frame_nor_an_answer(
    context: BrowserContext, pay: Site, crm: Crm, desk: FakeDesk
) -> None:
    given = await embed_token(pay)
    page = await context.new_page()
    await page.goto(crm.evil)
    await page.wait_for_load_state("load")
    assert await page.evaluate("customElements.get('tonewall-payment') === undefined")
    ask = """([url, token]) => fetch(url, { method: "POST", headers: { Authorization: `Bearer ${token}` } })
      .then(() => "answered", () => "refused")"""
    assert await page.evaluate(ask, [f"{pay.url}/v1/calls/c-1/mask", given]) == "refused"
    crm.body = FRAME
    await page.goto(crm.evil)
    await page.wait_for_load_state("load")
    assert page.frames[1].url.startswith("chrome-error:")
    crm.body = FRAME.replace("/embed#", "/#")  # the agent's page, not by the CRM either
    await page.goto(crm.url)
    await page.wait_for_load_state("load")
    assert page.frames[1].url.startswith("chrome-error:")
    assert desk.asked == []
