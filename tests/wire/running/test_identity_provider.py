"""People of a whole Tonewall sign in at npm's oidc-provider: down at first, and then there; each
sees their calls, and who leaves there is out here, feed and all."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx

from b2bua.access.passwords import hash_password
from b2bua.access.roles import Role
from b2bua.access.users import UserFile
from b2bua.audit.signing_key import make_key
from tests.complaints import expect_error
from tests.contract.sign_in import CLIENT, SECRET, Browser, House, identity_provider, known_as, new_key
from tests.stack import free_port, until
from tests.wire.handmade import Customer
from tests.wire.numbered import CALLEE, numbered

PASSWORD = "correct horse battery 1"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


async def tonewall(*arguments: str) -> str:
    """What `tonewall` printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", *arguments,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    printed, _ = await process.communicate()
    return printed.decode()


async def test_people_sign_in_at_an_identity_provider_and_leave_there(tmp_path: Path) -> None:
    make_key(tmp_path / "audit.pem")
    house = House(f"http://127.0.0.1:{free_port()}", tmp_path)
    people = UserFile(tmp_path / "access")
    people.add("dan", frozenset({Role.AGENT}), frozenset(), hash_password("a first password 1"))
    people.close()
    extra = {
        "api": {"port": str(house.port), "extensions": f"ann:{CALLEE}", "teams": "north:ann"},
        "access": {"directory": str(tmp_path / "access"), "totp_required": "none"},
        "audit": {"directory": str(tmp_path / "audit"), "key_file": str(tmp_path / "audit.pem")},
        "oidc": {
            "issuer": house.issuer, "client_id": CLIENT, "client_secret": SECRET,
            "redirect_uri": house.callback, "contact": "Kim at the desk",
            "roles": "contact-centre:agent, team-leads:agent+supervisor", "teams": "north:north",
        },
    }  # fmt: skip
    expect_error("identity_provider_not_read")
    async with (
        numbered(tmp_path, extra) as at,
        Browser(house) as ann, Browser(house) as ben, Browser(house) as cleo, Browser(house) as dan,
    ):  # fmt: skip
        stack, customer = at.stack, Customer(at.carrier)
        assert (await stack.api.get("/sign-in")).json()["oidc"] == "/sign-in/oidc"
        # The provider is down: a page says so, and who has a password goes on.
        [fault] = await until(lambda: faults(stack.api), "the fault")
        assert (fault["what"], fault["stops"]) == ("identity_provider", None)
        answer = await ann.http.get(f"{house.url}/sign-in/oidc")
        assert (answer.status_code, "does not answer" in answer.text) == (503, True)
        body = {"name": "dan", "password": "a first password 1", "new_password": PASSWORD}
        assert (await dan.http.post(f"{house.url}/sign-in", json=body, headers=OWN_PAGE)).status_code == 200
        assert (await dan.me()).json()["agent"] == "dan"
        port = httpx.URL(house.issuer).port or 0
        async with identity_provider(port, tmp_path, known_as(house.callback), [new_key["RS256"]("one")]):

            async def is_well() -> bool:
                return not await faults(stack.api)

            await until(is_well, "the end of the fault")
            for browser, who, status in ((ann, "u-1", 303), (ben, "u-2", 303), (cleo, "u-3", 403)):
                answer = await browser.sign_in(who)
                assert answer.status_code == status, answer.text
            assert "Kim at the desk" in answer.text
            said = await tonewall("doctor", "-c", str(stack.conf))
            for good in ("describes itself", "clock and ours differ by", "keys can be used"):
                assert good in said, said
            # An agent sees their own call, the supervisor that of the team, the other agent none.
            call, _ = await at.call(customer)
            for browser, seen in ((ann, [call]), (ben, [call]), (dan, [])):
                calls = (await browser.http.get(f"{house.url}/v1/calls")).json()
                assert [each["id"] for each in calls] == seen
            async with ann.http.stream("GET", f"{house.url}/v1/feed") as feed:
                chunks = feed.aiter_bytes()
                assert call.encode() in await anext(chunks)
                answer = await ann.leave()
                assert (answer.status_code, answer.headers["location"]) == (303, f"{house.url}/")
                async with asyncio.timeout(10):  # sooner than the 15 s after which a feed looks by itself
                    async for _ in chunks:
                        pass
            assert [(await each.me()).status_code for each in (ann, ben, dan)] == [401, 200, 200]
            await at.hang_up(customer)
            customer.media.close()
    shown = (await tonewall("audit", "show", str(tmp_path / "audit"), "--json")).splitlines()
    noted = [(each["who"], each["what"]) for each in map(json.loads, shown)]
    for entry in (("ann", "sign_in"), ("ben", "sign_in"), ("cleo", "sign_in_refused"), ("ann", "signed_out")):
        assert entry in noted, noted
    assert SECRET not in (tmp_path / "tonewall.log").read_text() + "".join(shown)


async def faults(api: httpx.AsyncClient) -> list[dict[str, str | None]]:
    """What /healthz lists."""
    found: list[dict[str, str | None]] = (await api.get("/healthz")).json()["faults"]
    return found
