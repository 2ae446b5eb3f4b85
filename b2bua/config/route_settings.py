"""Model of `[route]`: the calls that go to certain trunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from b2bua.call.routing.router import Pattern, PatternError
from b2bua.config.unattended_settings import UnattendedSection
from b2bua.config.values import split_list
from media.mask_policy import MaskPolicy


class RouteSettings(UnattendedSection):
    """`[route]`: which calls go to which trunks. The first that fits decides."""

    section: ClassVar[str] = "route"

    source: str = Field("", description="the trunks whose calls it is for, separated by commas; empty: all")
    callee: str = Field(
        "",
        description="called numbers that it is for: prefixes separated by commas, or /regular expression/; "
        "empty: all",
    )
    caller: str = Field("", description="calling numbers that it is for, in the same way; empty: all")
    to: str = Field("", description="the trunks that are tried, one after another, separated by commas")
    spread: bool = Field(
        False, description="yes or no: the trunks of `to` take calls by chance, each its share"
    )
    callee_as: str = Field(
        "",
        description="what stands in place of the prefix of `callee`, or of the whole, with \\1 for a group",
    )
    caller_as: str = Field("", description="the same for the calling number")
    provider: str = Field(
        "",
        description="the providers that its calls are charged at, by name (default is the one without), the "
        "next only where the one before certainly did not charge",
    )
    mask: MaskPolicy | Literal[""] = Field(
        "",
        description="mask, mute-on-key or mute: what the agents' side hears of its callers while a card is "
        "keyed; empty: as the carrier says",
    )
    refuse: int = Field(0, description="answer its calls with this code, 400 to 699, instead; 0: they go on")

    @field_validator("refuse")
    @classmethod
    def _is_final(cls, value: int) -> int:
        if value and not 400 <= value <= 699:
            raise ValueError("expected a code from 400 to 699")
        return value

    @model_validator(mode="after")
    def _decides(self) -> RouteSettings:
        for key, text, into in (
            ("callee", self.callee, self.callee_as),
            ("caller", self.caller, self.caller_as),
        ):
            try:
                Pattern.read(text, into)
            except PatternError as error:
                raise ValueError(f"{key}: {error}") from None
        if not split_list(self.to) and not self.refuse and not self.ends_in_form:
            raise ValueError("to: expected trunks to go to, or else a code in refuse")
        return self

    def form_faults(self, kinds: Mapping[str, str], addresses: Mapping[str, str]) -> list[str]:
        """As in UnattendedSection, and what does not fit the trunks of the agents."""
        faults = UnattendedSection.form_faults(self, kinds, addresses)
        places = self.place_trunks().values()
        if self.agent_gone == "end" or not places:
            return faults
        named = (*split_list(self.to), *split_list(self.source))
        agents = [name for name in named if kinds.get(name) == "pbx"]
        if len({addresses[name] for name in (*agents, *places) if name in addresses}) > 1:
            faults.append("agent_gone: expected places on trunks with the media_address of the agents'")
        return faults

    def takes_all(self, kinds: Mapping[str, str]) -> bool:
        """Whether every call fits, so that no later route is asked. `kinds`: of each trunk, carrier
        or pbx."""
        sources = set(split_list(self.source) or kinds)
        across = {kinds.get(name) for name in split_list(self.to)}
        everywhere = bool(self.refuse) or self.ends_in_form or all(across - {kind} for kind in kinds.values())
        return not self.callee and not self.caller and everywhere and sources >= set(kinds)
