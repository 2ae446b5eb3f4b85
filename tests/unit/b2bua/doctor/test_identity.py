"""Checks of the identity provider: each finding says what to do."""

from __future__ import annotations

from pathlib import Path

from b2bua.doctor.finding import Level
from b2bua.doctor.identity import check_identity
from tests.complaints import permit_error
from tests.unit.b2bua.access.odd_provider import OddProvider
from tests.unit.b2bua.doctor.written import settings


async def found(folder: Path, issuer: str, **more: str) -> list[tuple[Level, str]]:
    oidc = {
        "issuer": issuer, "client_id": "tonewall", "roles": "agents:agent",
        "redirect_uri": "https://pay.example/sign-in/oidc/callback", **more,
    }  # fmt: skip
    own = settings(folder, access={"directory": str(folder / "access")}, oidc=oidc)
    return [(each.level, each.text) for each in await check_identity(own)]


async def test_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    async with OddProvider().running() as provider:
        provider.description = {"end_session_endpoint": f"{provider.url}/out"}
        provider.date = "now"
        levels = [level for level, _ in await found(tmp_path, provider.url)]
        assert levels == [Level.GOOD] * 3
        provider.date, provider.description = "Tue, 05 Jan 2021 10:00:00 GMT", {}
        clock, way_out = (await found(tmp_path, provider.url))[1::2]
        assert (clock[0], "NTP" in clock[1]) == (Level.FAULT, True)
        assert (way_out[0], "no way out" in way_out[1]) == (Level.WARNING, True)
        permit_error("issuer_keys_not_fetched")
        provider.date, provider.answers["/jwks"] = "", (200, b'{"keys": []}')
        clock, keys = (await found(tmp_path, provider.url))[1:3]
        assert (clock[0], keys[0]) == (Level.WARNING, Level.FAULT)
        permit_error("identity_provider_not_read")
        provider.description = {"issuer": "https://evil.example"}
        [(level, text)] = await found(tmp_path, provider.url)
        assert (level, "of another issuer" in text, "[oidc] issuer" in text) == (Level.FAULT, True, True)
        url = provider.url
    [(level, text)] = await found(tmp_path, url)
    assert (level, "ConnectError" in text) == (Level.FAULT, True)
    assert await found(tmp_path, "") == []
    (tmp_path / "ca.pem").write_text("no certificate")
    [(level, text)] = await found(tmp_path, url, ca_file=str(tmp_path / "ca.pem"))
    assert (level, text) == (Level.FAULT, "[oidc] ca_file: expected certificates, as a PEM file")
