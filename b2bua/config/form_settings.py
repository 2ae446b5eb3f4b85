"""Model of `[form]`: what is keyed, how, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec
from pydantic import Field, field_validator, model_validator

from b2bua.config.field_settings import KNOWN_FIELDS
from b2bua.config.values import split_list
from media.events import BRANDS, CARD_KINDS, CaptureForm, EndingKey, FormField, FormResult, card_fields
from media.form_description import BadForm, describe
from media.settings import SHIPPED_PROMPTS
from tonewall.ini import Section

_KEYS: dict[str, EndingKey] = {"hash": "#", "star": "*", "none": ""}
_CODE = "security_code"


class FormSettings(Section):
    """`[form]`: what is keyed, and how; times in seconds. The first section is the usual one."""

    section: ClassVar[str] = "form"

    fields: str = Field(
        "",
        description="the fields in the order in which they are keyed, separated by commas; empty: a card's",
    )
    optional: str = Field("", description="the fields that the agent may skip, separated by commas")
    confirm: str = Field("", description="the fields that are keyed twice, separated by commas")
    brands: str = Field(
        "", description=f"the brands that are taken, separated by commas, of {', '.join(BRANDS)}; empty: all"
    )
    security_code: Literal["required", "optional", "never"] = Field(
        "required", description="required, optional (the agent may skip it) or never: whether it is keyed"
    )
    end_key: Literal["hash", "star", "none"] = Field(
        "hash", description="hash, star or none: the key that ends a field"
    )
    clear_key: Literal["hash", "star", "none"] = Field(
        "star", description="hash, star or none: the key that clears a field"
    )
    tries: int = Field(
        0, ge=0, le=99, description="refusals of one field that end the payment; 0: as many as it takes"
    )
    key_timeout: float = Field(
        0, ge=0, description="seconds without a key press that end a capture; 0: as in [media]"
    )
    capture_timeout: float = Field(
        0, ge=0, description="seconds that a capture may take in all; 0: as in [media]"
    )
    result: FormResult = Field(
        "charge", description="charge, verify, token or deliver: what becomes of it once it is submitted"
    )
    deliver_to: str = Field(
        "", description="the name of the [provider] section of kind delivery that gets it"
    )

    prompts: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,64}$",
        description="the set of prompts that guides the customer, by the name of its [prompts] section, or "
        "placeholder, the set that Tonewall ships; empty: none",
    )
    language: str = Field(
        "en",
        pattern=r"^[a-z0-9-]{1,64}$",
        description="the language of the prompts, by the name of its folder",
    )

    agent_tones: bool = Field(
        False,
        description="yes or no: the agent alone hears a tone as a field is complete, as one is refused, "
        "and as the payment is approved",
    )

    @field_validator("brands")
    @classmethod
    def _are_known(cls, value: str) -> str:
        if not set(split_list(value)) <= set(BRANDS):
            raise ValueError(f"expected some of {', '.join(BRANDS)}, separated by commas")
        return value

    @model_validator(mode="after")
    def _keys_differ(self) -> FormSettings:
        if self.end_key == self.clear_key != "none":
            raise ValueError("clear_key: expected another key than end_key")
        return self

    def form(self, name: str, known: Mapping[str, FormField] = KNOWN_FIELDS) -> CaptureForm:
        """The form under its name; `known`: the fields that there are. Raises BadForm."""
        form = CaptureForm(
            name=name,
            fields=self._chosen(known),
            brands=split_list(self.brands),
            end_key=_KEYS[self.end_key],
            clear_key=_KEYS[self.clear_key],
            tries=self.tries,
            key_timeout=self.key_timeout or None,
            capture_timeout=self.capture_timeout or None,
            result=self.result,
            deliver_to=self.deliver_to,
            prompts=self.prompts,
            language=self.language,
            agent_tones=(self.prompts or SHIPPED_PROMPTS) if self.agent_tones else "",
        )
        describe(form)
        return form

    def _chosen(self, known: Mapping[str, FormField]) -> tuple[FormField, ...]:
        names, optional, confirm = map(_names, (self.fields, self.optional, self.confirm))
        names = names or tuple(each.name for each in card_fields())
        if self.security_code == "never":
            names = tuple(each for each in names if each != _CODE)
        elif self.security_code == "optional":
            optional = (*optional, _CODE)
        for key, listed, there in (
            ("fields", names, known), ("optional", optional, names), ("confirm", confirm, names)
        ):  # fmt: skip
            if not set(listed) <= set(there):
                raise BadForm(f"{key}: expected some of {', '.join(there)}, separated by commas")
        return tuple(
            msgspec.structs.replace(known[each], optional=each in optional, confirm=each in confirm)
            for each in names
        )


def _names(listed: str) -> tuple[str, ...]:
    return tuple(each.replace("-", "_") for each in split_list(listed))


def find_form_faults(form: CaptureForm) -> list[str]:
    """What does not go together in a form, a line each that begins with the key."""
    card = {each.kind for each in form.fields} & CARD_KINDS
    others = [each.name for each in form.fields if each.kind not in CARD_KINDS]
    faults = []
    if len({each.countries for each in form.fields if each.kind == "iban"}) > 1:
        faults.append(
            "fields: expected the same countries for each iban, since the agent chooses one for all"
        )
    if (form.result == "deliver") != bool(form.deliver_to):
        faults.append("deliver_to: expected with result = deliver, and only there")
    if form.result == "deliver":
        if card:
            faults.append("result: expected charge, verify or token, since a card is never delivered")
        return faults
    if not {"card_number", "expiry"} <= card:
        faults.append(f"fields: expected card_number and expiry, since result = {form.result}")
    if others:
        faults.append(
            f"fields: expected no {', '.join(others)} beside a card; ask for it in a form with "
            "result = deliver"
        )
    if any(each.kind in ("card_number", "expiry") and each.optional for each in form.fields):
        faults.append("optional: expected no card_number and no expiry")
    return faults
