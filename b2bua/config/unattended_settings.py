"""Model of the keys of a `[route]` that ends in a form: what is owed, where the call goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field, field_validator

from b2bua.call.owed import MAX_AMOUNT
from b2bua.call.routing.form_end import FormRule, NextPlace, Owed
from b2bua.config.charge_settings import ChargeSection
from provider_adapters.currency import MINOR_UNITS
from tonewall.card_numbers import looks_like_card_number

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_NUMBER = re.compile(r"[A-Za-z0-9+*#._-]{1,64}")
_PLACES = ("then", "person", "otherwise")


class UnattendedSection(ChargeSection):
    """The keys of a route whose calls we answer, without an agent."""

    ends_in: Literal["trunk", "form"] = Field(
        "trunk", description="trunk, or form: we answer its calls, and the customer keys without an agent"
    )
    then: str = Field(
        "", description="where a call goes on after that, as TRUNK/NUMBER, or TRUNK for the number called"
    )
    person: str = Field("", description="where it goes if nothing was paid; empty: as then")
    otherwise: str = Field("", description="where it goes if that does not answer; empty: it ends")
    amount: int = Field(
        0, ge=0, le=MAX_AMOUNT, description="what is owed, in the currency's minor unit; 0: not known"
    )
    currency: str = Field("", description="its currency, three letters (ISO 4217)")
    description: str = Field("", max_length=140, description="what it is for")
    order_header: str = Field(
        "", description="the header of the INVITE that says what is owed; see docs/unattended.md"
    )
    cards: int = Field(3, ge=1, le=9, description="cards that a customer may try, one after another")
    silence: float = Field(12.0, gt=0, le=120, description="seconds without a key until it is asked again")
    silences: int = Field(
        1, ge=0, le=9, description="times that it is asked again, before a person takes the call"
    )
    confirm: bool = Field(True, description="yes or no: the customer confirms the amount by a key")

    time_limit: float = Field(
        600.0,
        gt=0,
        le=7200,
        description="seconds that the customer has in all until the card is submitted; then a person takes "
        "the call",
    )
    agent_gone: str = Field(
        "end",
        description="what becomes of a customer whose agent hangs up during a payment: end, form (the "
        "customer goes on without an agent), or TRUNK/NUMBER of another agent",
    )

    @property
    def ends_in_form(self) -> bool:
        """Whether its calls are answered by us."""
        return self.ends_in == "form"

    @field_validator("then", "person", "otherwise", "agent_gone")
    @classmethod
    def _is_place(cls, value: str) -> str:
        trunk, slash, number = value.partition("/")
        if value and (not trunk or (slash and not _NUMBER.fullmatch(number))):
            raise ValueError("expected TRUNK or TRUNK/NUMBER")
        return value

    @field_validator("currency")
    @classmethod
    def _is_currency(cls, value: str) -> str:
        if value and value not in MINOR_UNITS:
            raise ValueError("expected a code of ISO 4217, three capital letters, such as EUR")
        return value

    @field_validator("order_header")
    @classmethod
    def _is_header(cls, value: str) -> str:
        if value and not _HEADER.fullmatch(value):
            raise ValueError("expected the name of a header")
        return value

    @field_validator("description")
    @classmethod
    def _is_no_card(cls, value: str) -> str:
        if looks_like_card_number(value):
            raise ValueError("expected no card number")
        return value

    def form_faults(self, kinds: Mapping[str, str], addresses: Mapping[str, str]) -> list[str]:
        """Keys that do not fit the others: key and what was expected. `kinds`, `addresses`: the
        trunks there are, and their media_address."""
        places = self.place_trunks()
        if not self.ends_in_form and self.agent_gone == "end":
            return [f"{key}: expected ends_in = form beside it, or agent_gone" for key in places]
        faults = [
            f"{key}: {name} is no trunk; expected one of {', '.join(kinds)}"
            for key, name in places.items()
            if name not in kinds
        ]
        if len({addresses[name] for name in places.values() if name in addresses}) > 1:
            faults.append("then, person, otherwise, agent_gone: expected trunks of one media_address")
        if self.amount and not self.currency:
            faults.append("currency: expected the currency of amount")
        return faults

    def form_rule(self, usual_form: str) -> FormRule | None:
        """How its calls end in a form; None where they go to a trunk."""
        return self._form_rule(usual_form) if self.ends_in_form else None

    def rule_without_agent(self, usual_form: str) -> FormRule | None:
        """How a payment goes on whose agent hangs up; None where its call ends."""
        if self.agent_gone == "end":
            return None
        rule = self._form_rule(usual_form)
        if self.agent_gone == "form":
            return rule
        return replace(rule, then=None, person=_place(self.agent_gone), drives=False)

    def _form_rule(self, usual_form: str) -> FormRule:
        then, person, otherwise = (_place(getattr(self, key)) for key in _PLACES)
        return FormRule(
            form=self.form or usual_form,
            then=then,
            person=person,
            otherwise=otherwise,
            owed=Owed(self.amount, self.currency, self.description, self.order_header),
            cards=self.cards,
            silence=self.silence,
            silences=self.silences,
            confirm=self.confirm,
            time_limit=self.time_limit,
        )

    def place_trunks(self) -> dict[str, str]:
        """The trunks that it goes on to, by key."""
        named = {key: getattr(self, key) for key in (*_PLACES, "agent_gone") if getattr(self, key)}
        if self.agent_gone in ("end", "form"):
            del named["agent_gone"]
        return {key: value.partition("/")[0] for key, value in named.items()}


def _place(text: str) -> NextPlace | None:
    trunk, _, number = text.partition("/")
    return NextPlace(trunk, number) if trunk else None
