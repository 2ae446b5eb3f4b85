"""Model of `[feature_codes]`: what agents key on their own telephones."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, model_validator

from b2bua.call.feature_codes import Feature, FeatureCodes
from tonewall.ini import Section

Digits = Annotated[str, StringConstraints(pattern="^[0-9]{0,3}$")]


class FeatureCodeSettings(Section):
    """`[feature_codes]`: digits between `*` and `#`, one to three; empty: there is no such code."""

    section: ClassVar[str] = "feature_codes"

    start: Digits = Field("1", description="digits that start the payment that is prepared for the call")
    submit: Digits = Field("2", description="digits that submit it")
    skip: Digits = Field("3", description="digits that skip the field that is keyed")
    ask: Digits = Field(
        "4", description="digits that ask again for the field that is keyed; with 1 to 9 behind, for that one"
    )
    protect: Digits = Field("5", description="digits that mask the line before a payment")
    cancel: Digits = Field("0", description="digits that cancel the payment")
    release: Digits = Field("9", description="digits that say that the customer's keying is over")
    short_code: int = Field(
        6, ge=4, le=6, description="digits of the short code that links a call to an agent's page"
    )
    prompts: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,64}$",
        description="the set of prompts that the agent alone hears after a code, as in [form]; empty: none",
    )
    language: str = Field(
        "en", pattern=r"^[a-z0-9-]{1,64}$", description="the language of these prompts, as in [form]"
    )

    @model_validator(mode="after")
    def _differ(self) -> FeatureCodeSettings:
        given = [each for each in self._digits().values() if each]
        asked = [self.ask + str(number) for number in range(1, 10)] if self.ask else []
        if len({*given, *asked}) < len(given) + len(asked):
            raise ValueError(
                "expected another code for each feature, and none that is ask with a field behind"
            )
        if len(self.ask) > 2:
            raise ValueError("ask: expected one or two digits, since the number of a field follows")
        return self

    def _digits(self) -> dict[Feature, str]:
        return {
            Feature.START: self.start,
            Feature.SUBMIT: self.submit,
            Feature.SKIP: self.skip,
            Feature.ASK: self.ask,
            Feature.PROTECT: self.protect,
            Feature.CANCEL: self.cancel,
            Feature.RELEASE: self.release,
        }

    def codes(self) -> FeatureCodes:
        """The codes, without those that are left out."""
        digits = {feature: digits for feature, digits in self._digits().items() if digits}
        return FeatureCodes(digits, self.short_code, self.prompts, self.language)
