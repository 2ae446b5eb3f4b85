"""Checks the bodies of requests for one field of a form."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict
from pydantic import Field as Described

from b2bua.api.bodies import Body, harmless
from media.events import FieldName

Wanted = Annotated[FieldName, Described(max_length=64, pattern="^[a-z][a-z0-9_]*$"), AfterValidator(harmless)]


class AskBody(Body):
    """The field that the customer is to key now."""

    model_config = ConfigDict(
        title="Ask", strict=False, json_schema_extra={"examples": [{"field": "expiry"}]}
    )

    field: Annotated[
        Wanted | None,
        Described(
            description="This field is keyed alone: again, or before its turn. Without it, what was asked "
            "for again counts as it was, and the form goes on in order."
        ),
    ] = None


class SlowBody(Body):
    """Whether equal keys are joined."""

    model_config = ConfigDict(title="Slow", strict=False, json_schema_extra={"examples": [{"on": True}]})

    on: Annotated[bool, Described(description="False: equal keys count as often as they come, again.")] = True


class SkipBody(Body):
    """The field that is not needed."""

    model_config = ConfigDict(
        title="Skip", strict=False, json_schema_extra={"examples": [{"field": "security_code"}]}
    )

    field: Annotated[Wanted, Described(description="The form goes on without this field.")]


class ResetBody(Body):
    """The field that the customer is to key again."""

    model_config = ConfigDict(
        title="Reset", strict=False, json_schema_extra={"examples": [{"field": "expiry"}]}
    )

    field: Annotated[
        Wanted | None,
        Described(description="This field and all that come after it are wiped; without it, all are."),
    ] = None
