"""Being registered at a trunk, and what is never answered: the SIP digest leak. The registrar is
played by hand."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from b2bua.call.leg import LegConfirmed, LegHungUp, LegInvited
from b2bua.call.leg_command import HangUpLeg, ReinviteLeg, RequestLeg
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.trunk import registration
from tests.wire.signalling import several_hops
from tests.wire.signalling.stage import ANSWER, OFFER, Stage, ask, expect_credentials, md5, staged
from tests.wire.sip_bridge import QUICK, until
from tests.wire.sip_peer import SDP, Call, Heard, SipPeer

KEYS = {"username": "tonewall", "password": "s3cret", "user": "tonewall"}
NAME = "tonewall"


@asynccontextmanager
async def registering(timers: Timers = QUICK, **trunk: object) -> AsyncIterator[tuple[Stage, Heard]]:
    """A Tonewall that registers at `pbx`, and its first REGISTER."""
    async with staged(timers=timers, register=True, **(KEYS | trunk)) as stage:  # type: ignore[arg-type]
        first = await stage.pbx.hear("REGISTER")
        yield stage, first
        stage.pbx.close()  # nothing is answered to what comes at the end


def state(stage: Stage) -> str | None:
    return stage.bridge.engine.registration("pbx")


def grant(stage: Stage, register: Heard, seconds: int | str = 3600) -> None:
    stage.pbx.reply(register, 200, Contact=f"{register.one('Contact')};expires={seconds}")


# --- the registration -----------------------------------------------------------------------------


async def test_a_challenge_is_answered_and_the_registration_is_refreshed_before_it_ends():
    async with registering() as (stage, first):
        assert first.one("To") == f"<sip:{NAME}@127.0.0.1>"
        assert first.one("Contact") == f"<sip:{NAME}@127.0.0.1:{stage.bridge.port}>"
        assert (first.uri, first.one("Expires")) == ("sip:127.0.0.1", "3600")
        stage.pbx.reply(first, 401, **ask("n1"))
        second = await stage.pbx.hear("REGISTER")
        expect_credentials(second, "REGISTER", "n1", "00000001")
        assert second.one("Call-ID") == first.one("Call-ID")
        assert second.one("CSeq") == "2 REGISTER"
        grant(stage, second, 2)
        await until(lambda: state(stage) == "registered")
        third = await stage.pbx.hear("REGISTER")
        assert (third.one("Call-ID"), third.one("CSeq")) == (first.one("Call-ID"), "3 REGISTER")
        grant(stage, third)
        await until(lambda: state(stage) == "registered")


async def test_a_stale_nonce_is_followed_by_one_more_try_and_a_wrong_password_by_a_pause():
    async with registering() as (stage, first):
        stage.pbx.reply(first, 401, **ask("n1"))
        stage.pbx.reply(await stage.pbx.hear("REGISTER"), 401, **ask("n2", more=", stale=true"))
        third = await stage.pbx.hear("REGISTER")
        expect_credentials(third, "REGISTER", "n2", "00000001")
        stage.pbx.reply(third, 401, **ask("n3"))
        await until(lambda: state(stage) == "failed")


async def test_an_interval_that_is_too_brief_is_raised_once():
    async with registering(expires=60) as (stage, first):
        assert first.one("Expires") == "60"
        stage.pbx.reply(first, 423, Min_Expires="600")
        second = await stage.pbx.hear("REGISTER")
        assert second.one("Expires") == "600"
        stage.pbx.reply(second, 423, Min_Expires="600")
        await until(lambda: state(stage) == "failed")


async def test_a_registrar_that_lists_only_others_has_not_registered_us():
    async with registering() as (stage, first):
        stage.pbx.reply(first, 200, Contact="<sip:somebody@192.0.2.9>;expires=3600")
        await until(lambda: state(stage) == "failed")


async def test_a_registrar_that_lists_nobody_has_granted_what_its_expires_says():
    async with registering() as (stage, first):
        stage.pbx.reply(first, 200, Contact="", Expires="1800")
        await until(lambda: state(stage) == "registered")


async def test_the_registration_is_given_back_at_the_end():
    async with staged(register=True, **KEYS) as stage:
        first = await stage.pbx.hear("REGISTER")
        grant(stage, first)
        await until(lambda: state(stage) == "registered")
    # `staged` has stopped the engine; its socket is closed, but what it sent before is in ours.


async def test_leaving_asks_for_no_time_and_answers_a_challenge():
    async with registering() as (stage, first):
        grant(stage, first)
        await until(lambda: state(stage) == "registered")
        registrations = stage.bridge.engine._registrations
        registrations.unregister_all()
        bye = await stage.pbx.hear("REGISTER")
        assert (bye.one("Expires"), bye.one("Call-ID")) == ("0", first.one("Call-ID"))
        stage.pbx.reply(bye, 401, **ask("n1"))
        again = await stage.pbx.hear("REGISTER")
        assert again.one("Expires") == "0"
        expect_credentials(again, "REGISTER", "n1", "00000001")
        stage.pbx.reply(again, 200)
        await until(lambda: registrations.is_gone)


async def test_a_call_to_what_we_registered_is_for_the_number_in_its_to():
    async with registering() as (stage, first):
        grant(stage, first)
        text = stage.pbx.request("INVITE", body=OFFER, To="<sip:+4930555@carrier.example>")
        uri = f"sip:{NAME}@127.0.0.1:{stage.bridge.port}"
        stage.pbx.send(re.sub("^INVITE [^ ]+", f"INVITE {uri}", text))
        invite = await stage.carrier.hear("INVITE")
        assert invite.uri.startswith("sip:+4930555@")
        stage.carrier.reply(invite, 486)
        await stage.pbx.hear("486")


# --- of two servers -------------------------------------------------------------------------------


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[SipEngine, SipPeer, SipPeer]]:
    """A Tonewall that registers at a trunk of two servers, the first of them best."""
    async with several_hops.staged(register=True, **KEYS) as stage:
        first, second = stage.hops
        yield stage.bridge.engine, first, second


@pytest.mark.parametrize("code", [500, 503])
async def test_a_server_that_says_5xx_is_followed_by_the_next_one_at_once(code):
    async with two_servers() as (engine, first, second):
        refused = await first.hear("REGISTER")
        first.reply(refused, code)
        taken = await second.hear("REGISTER")
        assert (taken.one("Call-ID"), taken.one("CSeq")) == (refused.one("Call-ID"), "2 REGISTER")
        second.reply(taken, 200, Contact=f"{taken.one('Contact')};expires=3600")
        await until(lambda: engine.registration("pbx") == "registered")


async def test_a_server_that_is_silent_is_followed_by_the_next_one():
    async with two_servers() as (engine, first, second):
        unanswered = await first.hear("REGISTER")
        taken = await second.hear("REGISTER")
        assert taken.one("Call-ID") == unanswered.one("Call-ID")
        await first.repeated(unanswered, 2)
        second.reply(taken, 200, Contact=f"{taken.one('Contact')};expires=3600")
        await until(lambda: engine.registration("pbx") == "registered")


async def test_when_all_have_failed_the_pause_doubles_and_retry_after_is_kept_to(
    monkeypatch: pytest.MonkeyPatch,
):
    pause = 0.4  # seconds; half of it at least, by chance
    monkeypatch.setattr(registration, "FIRST_PAUSE", pause)
    async with two_servers() as (engine, first, second):
        failed = time.monotonic()
        for least in (0.0, pause / 2, pause, 2.0, 4 * pause):
            first.reply(await first.hear("REGISTER"), 503)
            register = await second.hear("REGISTER")
            assert time.monotonic() - failed >= least
            failed = time.monotonic()
            second.reply(register, 503, **({"Retry_After": "2"} if least == pause else {}))
        await until(lambda: engine.registration("pbx") == "failed")


# --- the SIP digest leak --------------------------------------------------------------------------


def no_credentials(*peers: SipPeer) -> None:
    """In nothing that has come so far, read or unread."""
    for peer in peers:
        texts = [message.text for message in peer.heard]
        with contextlib.suppress(BlockingIOError):
            while True:
                texts.append(peer.socket.recv(65536).decode())
        assert texts
        assert not [text.partition("\r\n")[0] for text in texts if "Authorization:" in text]


async def incoming(stage: Stage, **headers: str) -> Call:
    """A call from `pbx`, whose trunk has our credentials, answered by the carrier; as `pbx` has
    it."""
    stage.pbx.send(stage.pbx.request("INVITE", body=OFFER, **headers))
    invite = await stage.carrier.hear("INVITE")
    stage.carrier.reply(invite, 200, body=ANSWER)
    ok = await stage.pbx.hear("200")
    call = Call.placed(ok)
    stage.pbx.send(stage.pbx.request("ACK", call=call))
    await until(lambda: stage.bridge.kinds(LegConfirmed) != [])
    return call


def near_leg(stage: Stage):
    return next(leg for leg, event in stage.bridge.seen if isinstance(event, LegInvited))


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO"])
async def test_a_caller_that_challenges_what_we_send_in_its_call_gets_no_hash_of_our_password(method):
    async with staged(**KEYS) as stage:
        await incoming(stage)
        engine, leg = stage.bridge.engine, near_leg(stage)
        command = {
            "BYE": HangUpLeg(),
            "INVITE": ReinviteLeg(SDP.format("again").encode()),
            "INFO": RequestLeg("r1", "INFO", "text/plain", b"hello"),
        }[method]
        engine.execute_command(leg, command)
        asked = await stage.pbx.hear(method)
        stage.pbx.reply(asked, 407, Proxy_Authenticate=ask("n1")["WWW_Authenticate"])
        await until(lambda: engine.counters().get("challenges_refused", 0) == 1)
        if method != "BYE":
            engine.execute_command(leg, HangUpLeg())
            stage.pbx.reply(await stage.pbx.hear("BYE"), 401, **ask("n2"))
        await until(lambda: LegHungUp("hung up") in stage.bridge.kinds(LegHungUp))
        no_credentials(stage.pbx, stage.carrier)


@pytest.mark.parametrize("where", ["127.0.0.77", "phone.example"])
async def test_also_where_the_realm_is_right_and_the_trunk_only_passes_it_on(where):
    async with staged(realm="carrier.example", **KEYS) as stage:
        await incoming(
            stage, Contact=f"<sip:thief@{where}:5070>", Record_Route=f"<sip:127.0.0.1:{stage.pbx.port};lr>"
        )
        stage.bridge.engine.execute_command(near_leg(stage), HangUpLeg())
        asked = await stage.pbx.hear("BYE")
        assert asked.uri == f"sip:thief@{where}:5070"
        stage.pbx.reply(asked, 407, Proxy_Authenticate=ask("n1")["WWW_Authenticate"])
        await until(lambda: LegHungUp("hung up") in stage.bridge.kinds(LegHungUp))
        no_credentials(stage.pbx, stage.carrier)


async def test_a_callee_behind_the_trunk_gets_none_for_the_bye_either():
    async with staged(**KEYS) as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        # The trunk's own: the realm is known now.
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 401, **ask("n1"))
        invite = await stage.pbx.hear("INVITE")
        expect_credentials(invite, "INVITE", "n1", "00000001")
        thief = {"Contact": "<sip:thief@127.0.0.77>", "Record_Route": f"<sip:127.0.0.1:{stage.pbx.port};lr>"}
        stage.pbx.reply(invite, 200, body=ANSWER, **thief)
        await stage.carrier.hear("200")
        stage.bridge.engine.execute_command(stage.far_leg, HangUpLeg())
        asked = await stage.pbx.hear("BYE")
        assert not asked.all("Authorization")
        stage.pbx.reply(asked, 401, **ask("n2"))
        await until(lambda: LegHungUp("hung up") in stage.bridge.kinds(LegHungUp))
        with pytest.raises(BlockingIOError):
            stage.pbx.socket.recv(65536)


async def test_a_challenge_from_another_address_is_not_the_trunks():
    other = SipPeer("127.0.0.9")
    async with staged(networks=("127.0.0.9/32",), **KEYS) as stage:  # type: ignore[arg-type]
        other.engine = stage.pbx.engine
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        challenge = ask("n1")
        text = stage.pbx.reply(invite, 180)
        lines = text.replace("180 Whatever", "401 Unauthorized").split("\r\n")
        lines.insert(1, f"WWW-Authenticate: {challenge['WWW_Authenticate']}")
        other.send("\r\n".join(lines))
        await stage.carrier.hear("401")
        no_credentials(stage.pbx)
        with pytest.raises(BlockingIOError):
            other.socket.recv(65536)
    other.close()


async def test_a_first_challenge_of_another_realm_than_the_configured_one_is_not_answered():
    async with staged(realm="carrier.example", **KEYS) as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 401, **ask("n1", realm="thief.example"))
        await stage.carrier.hear("401")
        no_credentials(stage.pbx)


async def test_the_password_is_never_on_the_wire():
    async with registering() as (stage, first):
        stage.pbx.reply(first, 401, **ask("n1"))
        second = await stage.pbx.hear("REGISTER")
        assert "s3cret" not in second.text
        assert md5("tonewall:carrier.example:s3cret") not in second.text


# --- the registrar's route, and credentials in an ACK ---------------------------------------------


def proxy_asks(nonce: str) -> dict[str, str]:
    return {"Proxy_Authenticate": ask(nonce)["WWW_Authenticate"]}


async def test_new_calls_take_the_route_that_the_registrar_wants_until_it_wants_none():
    async with registering() as (stage, first):
        route = (f"<sip:orig@127.0.0.1:{stage.pbx.port};lr>", "<sip:scscf.example;lr>")
        stage.pbx.reply(
            first, 200, Contact=f"{first.one('Contact')};expires=2", Service_Route=", ".join(route)
        )
        await until(lambda: state(stage) == "registered")
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        assert invite.all("Route") == list(route)
        stage.pbx.reply(invite, 407, **proxy_asks("n1"))
        again = await stage.pbx.hear("INVITE")
        assert again.all("Route") == list(route)
        stage.pbx.reply(again, 486)
        await stage.carrier.hear("486")
        register = await stage.pbx.hear("REGISTER")
        assert register.all("Route") == []
        grant(stage, register)
        await until(lambda: state(stage) == "registered")
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        plain = await stage.pbx.hear("INVITE")
        assert plain.all("Route") == []
        stage.pbx.reply(plain, 486)
        await stage.carrier.hear("486")


@pytest.mark.parametrize(
    "value", ["<tel:+4930>", ", ".join(["<sip:a.example;lr>"] * (registration.MAX_ROUTES + 1))]
)
async def test_a_route_that_cannot_be_taken_is_none(value: str):
    async with registering() as (stage, first):
        stage.pbx.reply(first, 200, Contact=f"{first.one('Contact')};expires=600", Service_Route=value)
        await until(lambda: state(stage) == "registered")
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        assert invite.all("Route") == []
        stage.pbx.reply(invite, 486)
        await stage.carrier.hear("486")


@pytest.mark.parametrize(("code", "header"), [(401, "Authorization"), (407, "Proxy-Authorization")])
@pytest.mark.parametrize("final", [200, 486])
async def test_the_ack_of_a_challenged_invite_has_the_credentials_of_the_invite(
    code: int, header: str, final: int
):
    async with staged(**KEYS) as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        stage.pbx.reply(invite, code, **(proxy_asks("n1") if code == 407 else ask("n1")))
        assert (await stage.pbx.hear("ACK")).all(header) == []
        again = await stage.pbx.hear("INVITE")
        stage.pbx.reply(again, final, body=ANSWER if final == 200 else "")
        if final == 200:
            near = Call.placed(await stage.carrier.hear("200"))
            stage.carrier.send(stage.carrier.request("ACK", call=near))
        assert (await stage.pbx.hear("ACK")).one(header) == again.one(header)


async def test_no_credentials_go_to_somebody_whom_the_trunk_puts_us_through_to():
    elsewhere = SipPeer("127.0.0.88")
    async with staged(**KEYS) as stage:
        with contextlib.closing(elsewhere.socket):
            stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
            stage.pbx.reply(await stage.pbx.hear("INVITE"), 401, **ask("n1"))
            again = await stage.pbx.hear("INVITE")
            stage.pbx.reply(again, 200, body=ANSWER, Contact=elsewhere.contact("far"))
            near = Call.placed(await stage.carrier.hear("200"))
            stage.carrier.send(stage.carrier.request("ACK", call=near))
            assert (await elsewhere.hear("ACK")).all("Authorization") == []
