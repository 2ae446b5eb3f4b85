"""Payment links at the reconciler: opened once, followed until they are paid or nobody can pay
them, closed for sure, over restarts, faults and webhooks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from provider_adapters.local import adyen
from provider_adapters.local.books import HostedLink
from provider_adapters.notice import Notice
from provider_adapters.payer import journal as journals
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    LINK_CLOSED,
    LINK_EXPIRED,
    Approved,
    Declined,
    Failed,
    FollowUp,
    Link,
    LinkRequest,
    Unknown,
)
from provider_adapters.reconciler import reconciler as reconcilers
from provider_adapters.reconciler.links import MAX_PAUSE, MIN_PAUSE
from provider_adapters.reconciler.messages import Finding, Inquiry, LaterRequest, LinkClosing
from provider_adapters.reconciler.reconciler import LIMIT, Reconciler
from tests.contract.linking import HOUR, pay, served
from tests.contract.providers import TABLE
from tests.contract.settling import Played

START = 1_800_000_000.0
PAID = Approved(reference="", provider="default")


class Office:
    """A reconciler over a journal, and a provider that is played. `restart` begins anew from what
    is on disk."""

    def __init__(self, directory: Path, end: Played, adapter: str = "adyen") -> None:
        self.now, self.end, self.row = START, end, TABLE[adapter]
        self.path = directory / "journal"
        self.account = self.row.account_in_order(
            journal=str(self.path), inquiry_time=0.05, timeout=5.0, name="default"
        )
        self.books, end._dialect = self.row.dialect()
        self.reconciler = Reconciler([self.account])

    async def restart(self) -> None:
        await self.reconciler.close()
        self.reconciler = Reconciler([self.account])
        self.reconciler.notices.open(self.now)
        self.reconciler._follow()

    async def open(self, life: float = HOUR, **changes: Any) -> Any:
        request = LinkRequest(charge=self.row.charge(**changes), expires_at=START + life)
        found = await self.reconciler.carry_out(LaterRequest(number=1, link=request))
        self.reconciler._follow()
        return found

    async def close(self, key: str = "k-1") -> Any:
        found = await self.reconciler.close_link(LinkClosing(number=1, key=key))
        self.reconciler._follow()
        return found

    async def pass_by(self, seconds: float) -> None:
        """Some time passes, and what is due then is done."""
        self.now += seconds
        self.reconciler._follow()
        self.reconciler.notices.apply(self.now)
        for item in self.reconciler.links.due(self.now, 4):
            await self.reconciler.links.ask(item)
        self.reconciler._follow()
        self.reconciler.notices.apply(self.now)

    def find(self, key: str = "k-1", *, now: bool = False) -> Finding:
        return self.reconciler.inquire(Inquiry(keys=(key,), now=now)).found[key]

    def tell(self, claim: Any, event: str = "e-1", **more: Any) -> None:
        """A webhook arrives."""
        self.reconciler.notice((Notice(event=event, key="k-1", claim=claim, at=self.now, **more),))

    @property
    def link(self) -> HostedLink:
        [link] = self.books.links.values()
        return link

    @property
    def polls(self) -> int:
        return sum(method == "GET" for method, _ in self.end.sent)


@pytest.fixture
def end() -> Iterator[Played]:
    with served(TABLE["adyen"].dialect()[1]) as played:
        yield played


@pytest.fixture
def office(tmp_path: Path, end: Played, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    made = Office(tmp_path, end)
    monkeypatch.setattr(reconcilers.time, "time", lambda: made.now)
    monkeypatch.setattr(
        journals, "_now", lambda: datetime.fromtimestamp(made.now, UTC).isoformat(timespec="milliseconds")
    )
    yield made
    made.reconciler._reader.close()


async def test_a_journal_that_fails_says_nothing_of_a_link_that_may_be_open(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await office.open()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as failing:
        failing.setattr(Journal, "begin_link", full)
        assert await office.open() == Unknown(reason="journal_failed")
    assert await office.open() == link


async def test_a_link_is_followed_at_once_and_known_as_paid_while_the_call_lasts(office: Office) -> None:
    link = await office.open()
    assert isinstance(link, Link)
    assert office.find() == Finding(link=link, next_at=START + MIN_PAUSE)
    await office.pass_by(MIN_PAUSE)
    assert office.find().outcome is None
    await pay(office.books, office.link)
    await office.pass_by(MIN_PAUSE)
    assert office.find() == Finding(outcome=PAID, by="reconciler", link=link)


async def test_pauses_grow_with_the_links_age_and_end_with_it(office: Office) -> None:
    link = await office.open(life=40 * HOUR)
    pauses = []
    while office.now < START + 30 * HOUR:
        next_at = office.find().next_at
        assert next_at is not None
        pauses.append(next_at - office.now)
        await office.pass_by(next_at - office.now)
    assert pauses[0] == MIN_PAUSE
    assert all(one <= other for one, other in itertools.pairwise(pauses))
    assert pauses[-1] == MAX_PAUSE
    in_a_call = sum(1 for at in range(len(pauses)) if sum(pauses[:at]) < 300)
    assert in_a_call >= 55, "every five seconds for five minutes"
    await office.pass_by(link.expires_at - office.now - 7)
    next_at = office.find().next_at
    assert next_at is not None
    assert next_at <= link.expires_at + MIN_PAUSE, "and not long after it expires"


async def test_no_limit_of_reconciliation_ends_a_link_before_its_expiry(office: Office) -> None:
    link = await office.open(life=LIMIT + 50 * HOUR)
    await office.pass_by(LIMIT + 40 * HOUR)
    assert office.find().outcome is None
    await pay(office.books, office.link)
    await office.pass_by(MAX_PAUSE)
    assert isinstance(office.find().outcome, Approved)
    assert office.find().link == link


async def test_an_expired_link_is_closed_and_ends_after_the_providers_grace(office: Office) -> None:
    link = await office.open()
    await office.pass_by(HOUR)
    assert office.link.is_closed or office.now >= office.link.expires_at
    assert office.find().outcome is None, "what was begun before may still come"
    await office.pass_by(office.row.links().LINK_GRACE)
    assert office.find() == Finding(outcome=Failed(reason=LINK_EXPIRED), by="reconciler", link=link)


async def test_a_link_that_is_paid_in_its_last_second_is_no_expired_one(office: Office) -> None:
    await office.open()
    office.now += HOUR - 1
    await pay(office.books, office.link)
    await office.pass_by(2)
    assert isinstance(office.find().outcome, Approved)


async def test_reopening_under_the_same_key_gives_the_same_link(office: Office) -> None:
    link = await office.open()
    assert await office.open() == link
    assert await office.open(life=2 * HOUR) == link
    await office.restart()
    assert await office.open() == link
    assert len(office.books.links) == 1
    assert sum(method == "POST" for method, _ in office.end.sent) == 1


async def test_a_process_that_dies_while_it_opens_a_link_opens_the_same_one_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def die(*_: object) -> bool:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "note_link", die)
        with pytest.raises(KilledError):
            await office.open()
    await office.restart()
    assert office.find().link is None, "nobody was given the URL"
    assert office.find().next_at == START + HOUR
    link = await office.open(life=2 * HOUR)
    assert isinstance(link, Link)
    assert link.expires_at == START + HOUR, "as it was asked for first"
    assert len(office.books.links) == 1


async def test_a_link_that_nobody_was_given_ends_without_asking(office: Office) -> None:
    Journal(office.path).begin_link(
        LinkRequest(charge=office.row.charge(), expires_at=START + HOUR), "default"
    )
    await office.restart()
    await office.pass_by(HOUR)
    assert office.find().outcome == Failed(reason=LINK_EXPIRED)
    assert office.end.sent == []


async def test_nothing_is_opened_after_it_was_closed_before_it_was_opened(office: Office) -> None:
    Journal(office.path).begin_link(
        LinkRequest(charge=office.row.charge(), expires_at=START + HOUR), "default"
    )
    assert await office.close() == Failed(reason=LINK_CLOSED)
    assert await office.open() == Failed(reason=LINK_CLOSED)
    assert office.end.sent == []


async def test_a_key_is_that_of_one_thing(office: Office) -> None:
    await office.open()
    other = Failed(reason="key_of_another_charge")
    assert await office.open(amount=7) == other
    journal, charge = Journal(office.path), office.row.charge()
    assert journal.begin(charge) == other, "no card is charged under it"
    assert journal.begin_later("k-1", charge, "default", "saved") == other
    assert journal.resolve(charge, START, 1.0) is None, "and it is nobody's lost charge"
    assert office.find().outcome is None
    journal.begin(office.row.charge("k-2"), "default")
    assert await office.open(key="k-2") == other


async def test_a_link_that_is_closed_ends_at_once(office: Office) -> None:
    link = await office.open()
    assert await office.close() == Failed(reason=LINK_CLOSED)
    assert office.find() == Finding(outcome=Failed(reason=LINK_CLOSED), link=link)
    assert await office.close() == Failed(reason=LINK_CLOSED)
    assert await pay(office.books, office.link) == "closed"
    assert await office.open() == Failed(reason=LINK_CLOSED)


async def test_closing_a_link_that_was_paid_meanwhile_finds_the_payment(office: Office) -> None:
    await office.open()
    await pay(office.books, office.link)
    assert await office.close() == PAID
    assert isinstance(office.find().outcome, Approved)


async def test_a_link_that_cannot_be_closed_for_sure_stays_open(office: Office) -> None:
    await office.open()
    office.link.is_busy = True  # the customer is paying
    assert await office.close() == Unknown(reason="not_cancelled")
    assert office.find().outcome is None
    office.link.is_busy, office.link.is_closed = False, False
    await pay(office.books, office.link)
    await office.pass_by(MIN_PAUSE)
    assert isinstance(office.find().outcome, Approved)


async def test_a_link_that_is_not_known_here_is_not_called_closed(office: Office) -> None:
    assert await office.close("k-9") == Unknown(reason="link_not_known")


async def test_open_links_are_no_unknown_charges(office: Office) -> None:
    await office.open()
    found = office.reconciler.inquire(Inquiry(keys=()))
    assert (found.unknown, found.oldest) == (0, None)


async def test_a_provider_that_makes_no_links_is_not_asked(tmp_path: Path, end: Played) -> None:
    office = Office(tmp_path, end, "worldpay")
    assert await office.open() == Failed(reason="request_refused", code="not_supported")
    assert office.end.sent == []
    office.reconciler._reader.close()


async def test_a_journal_that_is_rotated_keeps_its_open_links(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await office.open()
    monkeypatch.setattr(journals, "ROTATE_AT", 1000)
    for number in range(40):
        Journal(office.path).begin(office.row.charge(f"c-{number}"), "default")
        office.reconciler._follow()
    assert len(list(office.path.parent.glob("journal.0*"))) > 4, "so that no file before the last is searched"
    await office.restart()
    assert office.find().link == link
    await pay(office.books, office.link)
    await office.pass_by(MIN_PAUSE)
    assert isinstance(office.find().outcome, Approved)


async def test_no_person_settles_a_link_that_can_still_be_paid(office: Office) -> None:
    await office.open()
    journal = Journal(office.path)
    entry = journal.lookup("k-1")
    assert entry is not None
    word = msgspec.structs.replace(entry, state="finished", outcome=Failed(reason="x"), by="person")
    office.now += HOUR / 2
    assert journal.settle(word, -1e9) == (None, False)
    assert office.find().outcome is None
    office.now += HOUR
    _, is_new = journal.settle(word, -1e9)
    assert is_new
    office.reconciler._follow()
    assert office.find().next_at is None, "nobody asks any more"


# --- webhooks -------------------------------------------------------------------------------------


async def test_a_webhook_hurries_the_inquiry_and_brings_the_reference(office: Office) -> None:
    await office.open(life=40 * HOUR)
    await office.pass_by(20 * HOUR)
    await pay(office.books, office.link)
    office.now += 1
    office.tell(Approved(reference="psp-1"), amount=1998, currency="EUR")
    await office.pass_by(0)
    assert office.find().outcome == Approved(reference="psp-1", provider="default")
    await office.restart()
    assert office.find().outcome == Approved(reference="psp-1", provider="default")


async def test_a_refund_before_the_webhook_is_not_sent_and_after_it_names_the_payment(
    office: Office,
) -> None:
    await office.open()
    await pay(office.books, office.link)
    await office.pass_by(MIN_PAUSE)
    refund = FollowUp(key="k-1-r", kind="refund", charge=office.row.charge(), reference="", amount=1998)
    request = LaterRequest(number=2, follow_up=refund)
    before = len(office.end.sent)
    assert await office.reconciler.carry_out(request) == Failed(reason="reference_not_known")
    assert len(office.end.sent) == before
    [reference] = office.link.paid
    office.tell(Approved(reference=reference), amount=1998, currency="EUR")
    await office.reconciler.carry_out(request)
    assert office.end.sent[-1] == ("POST", f"/payments/{reference}/refunds")
    record = office.books.find("k-1")
    assert record is not None
    assert record.refunded == 1998


async def test_a_declined_try_ends_nothing_whenever_it_is_told(office: Office) -> None:
    await office.open()
    await pay(office.books, office.link, "declined")
    office.tell(Declined(reason="declined", reference="psp-0"), "e-0")
    await office.pass_by(MIN_PAUSE)
    assert office.find().outcome is None
    await pay(office.books, office.link)
    await office.pass_by(MIN_PAUSE)
    office.tell(Declined(reason="declined", reference="psp-0"), "e-2")
    assert isinstance(office.find().outcome, Approved)
    assert office.reconciler._contradictions.count == 0


async def contradictions(office: Office) -> list[str]:
    with structlog.testing.capture_logs() as lines:
        office.tell(Approved(reference="psp-2"), "e-9", amount=1998, currency="EUR")
        await office.reconciler._contradictions._tasks.wait(5)
    return [line["event"] for line in lines if line["log_level"] == "error"]


async def test_a_link_that_is_paid_twice_is_reported(office: Office) -> None:
    await office.open()
    await pay(office.books, office.link)
    office.tell(Approved(reference="psp-1"), amount=1998, currency="EUR")
    await office.pass_by(MIN_PAUSE)
    assert await contradictions(office) == ["outcome_contradicted"]
    assert office.reconciler._contradictions.count == 1
    assert office.find().outcome == Approved(reference="psp-1", provider="default")


async def test_a_payment_on_a_link_that_was_closed_is_reported(office: Office) -> None:
    await office.open()
    await office.close()
    assert await contradictions(office) == ["outcome_contradicted"]
    assert office.find().outcome == Failed(reason=LINK_CLOSED)


async def test_a_claim_of_another_amount_completes_nothing(office: Office) -> None:
    await office.open()
    await pay(office.books, office.link)
    await office.pass_by(MIN_PAUSE)
    with structlog.testing.capture_logs() as lines:
        office.tell(Approved(reference="psp-1"), amount=7000, currency="EUR")
        await office.reconciler._contradictions._tasks.wait(5)
    assert "outcome_contradicted" in [line["event"] for line in lines]
    assert office.find().outcome == PAID


# --- faults ---------------------------------------------------------------------------------------


async def test_a_provider_that_does_not_answer_is_asked_again(office: Office) -> None:
    await office.open()
    dialect, office.end._dialect = office.end._dialect, Silent()
    await office.pass_by(MIN_PAUSE)
    assert await office.close() == Unknown(reason="not_cancelled")
    office.end._dialect = dialect
    await pay(office.books, office.link)
    await office.pass_by(MIN_PAUSE)
    assert isinstance(office.find().outcome, Approved)


async def test_a_provider_that_never_says_is_given_up_long_after_the_expiry(office: Office) -> None:
    await office.open()
    office.end._dialect = Silent()
    await office.pass_by(LIMIT)
    assert office.find().outcome is None
    with structlog.testing.capture_logs() as lines:
        await office.pass_by(2 * HOUR)
    assert "charge_not_decided" in [line["event"] for line in lines]
    assert office.find().outcome == Unknown(reason="not_decided")


async def test_an_opening_without_an_answer_leaves_the_key_free_to_try_again(office: Office) -> None:
    dialect, office.end._dialect = office.end._dialect, Silent()
    assert isinstance(await office.open(), Unknown)
    office.end._dialect = dialect
    assert isinstance(await office.open(), Link)


class Silent:
    """A provider that closes every connection."""

    async def handle(self, *_: object) -> None:
        return None


async def test_a_url_that_looks_like_a_card_is_handed_out_as_it_is(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes of a request without a card, and a customer could not pay at half of it."""
    url = "https://pay.example.com/pay/4111111111111111"
    monkeypatch.setattr(adyen, "link_url", lambda *_: url)
    assert (await office.open()).url == url
    await office.restart()
    assert (await office.open()).url == url
    found = office.find().link
    assert found is not None
    assert found.url == url
