"""Models of what a section says of charges, and of `[agent_group]`: agents who charge for one
merchant."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from b2bua.config.values import split_list
from tonewall.ini import Section

_MAX_METADATA = 20
_PAIR = re.compile(r"[A-Za-z0-9_]{1,20}=[^=]{1,80}")


class ChargeSection(Section):
    """The keys of a section whose calls or agents charge for somebody of their own."""

    form: str = Field("", description="the name of the [form] that its customers key")

    merchant_account: str = Field(
        "", max_length=80, description="for whom its calls are charged, where the provider asks for that"
    )
    statement: str = Field("", max_length=22, description="what stands on the cardholder's statement")
    metadata: str = Field(
        "", description="more that the provider keeps with a charge: name=value, separated by commas"
    )

    @field_validator("metadata")
    @classmethod
    def _is_metadata(cls, value: str) -> str:
        pairs = split_list(value)
        if len(pairs) > _MAX_METADATA or not all(_PAIR.fullmatch(each) for each in pairs):
            raise ValueError(
                "expected at most 20 of name=value, separated by commas: names of 20 letters, digits and "
                "underscores, values of 80 characters"
            )
        return value


class AgentGroupSettings(ChargeSection):
    """`[agent_group]`: agents by the names of their tokens. Each is in one group at most."""

    section: ClassVar[str] = "agent_group"

    agents: str = Field("", description="the names of its agents in [api] tokens, separated by commas")

    @model_validator(mode="after")
    def _has_agents(self) -> AgentGroupSettings:
        if not split_list(self.agents):
            raise ValueError("agents: expected names of [api] tokens, separated by commas")
        return self
