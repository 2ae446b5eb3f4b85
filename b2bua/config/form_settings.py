"""Model of `[form]`: how a card is keyed."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from b2bua.config.values import split_list
from media.events import BRANDS, CardForm, EndingKey
from tonewall.ini import Section

_KEYS: dict[str, EndingKey] = {"hash": "#", "star": "*", "none": ""}


class FormSettings(Section):
    """`[form]`: how a card is keyed; times in seconds. The first section is the usual one."""

    section: ClassVar[str] = "form"

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

    def form(self, name: str) -> CardForm:
        """The form under its name."""
        return CardForm(
            name=name,
            brands=split_list(self.brands),
            security_code=self.security_code,
            end_key=_KEYS[self.end_key],
            clear_key=_KEYS[self.clear_key],
            tries=self.tries,
            key_timeout=self.key_timeout or None,
            capture_timeout=self.capture_timeout or None,
        )
