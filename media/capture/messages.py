"""What happens to a capture, what it asks for, and how long it waits: the vocabulary of the capture
machine.

Rule 1: nothing here can hold a digit; a key press carries the verdict on its field.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.capture.check import Check
from media.events import FieldName
from provider_adapters.payment import Outcome


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `total` runs anew when the agent resets or the capture returns from READY. `tries`:
    refusals of one field that end the capture; 0: none do."""

    inactivity: float = 60.0  # without a key, while collecting
    total: float = 300.0  # of collecting
    ready: float = 120.0  # complete, but not submitted
    # Without an outcome; longer than [provider] timeout and inquiry_time can be (120 + 300), and
    # the wait for a payer.
    submitted: float = 480.0
    number_pause: float = 6.0  # without a key at the brand's usual length, taken for `#`
    field_pause: float = 1.0  # without a key, parts what was keyed for one field from the next
    refusal_pause: float = 3.0  # without a key, after which a refused field is keyed anew
    tries: int = 0
    person_pause: float = 2.5  # without a key behind `*0`, which then asks for a person
    first_key: float = 15.0  # without any key since the beginning, after which the agent is told


# --- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DigitKeyed:
    """A digit was added to the current field; `check` is that field's verdict as it stands now."""

    check: Check


@dataclass(frozen=True, slots=True)
class DigitDropped:
    """A digit came that `wants_digit` had no place for; it was overwritten."""


@dataclass(frozen=True, slots=True)
class DigitsMoved:
    """`Split` was carried out; `check` is the verdict on the field that has the digits now."""

    check: Check


@dataclass(frozen=True, slots=True)
class EndKeyed:
    """`#`. `check` is the verdict on the current field as ended."""

    check: Check


@dataclass(frozen=True, slots=True)
class Paused:
    """`pause_over` was true: taken for `#`."""

    check: Check


@dataclass(frozen=True, slots=True)
class RunEnded:
    """`run_over` was true: `field_pause` has passed since the last key."""


@dataclass(frozen=True, slots=True)
class ClearKeyed:
    """`*`."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The agent wants `field` and all that come after it keyed again; all of them where None."""

    field: FieldName | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent wants `field` keyed, alone: again, or before its turn. None: what was asked for
    again counts as it was, and the form goes on in order."""

    field: FieldName | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """The agent goes on without this field, which is optional."""

    field: FieldName


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A complete field does not pass its check any more: another one was keyed again."""

    field: FieldName
    check: Check


@dataclass(frozen=True, slots=True)
class Submitted:
    """The agent submitted."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The payer came to an outcome."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The agent cancelled."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time of `deadline()` has come. Too early, it changes nothing."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A key press could not be kept: what was captured can no longer be trusted. `reason` is fit
    for the agent."""

    reason: str = "a key press was lost"


@dataclass(frozen=True, slots=True)
class CallGone:
    """The call ended."""


Event = (
    DigitKeyed
    | DigitDropped
    | DigitsMoved
    | EndKeyed
    | Paused
    | RunEnded
    | ClearKeyed
    | Reset
    | Asked
    | Skipped
    | Contradicted
    | Submitted
    | Settled
    | Cancelled
    | TimedOut
    | Lost
    | CallGone
)


# --- commands -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wipe:
    """Overwrite this field, or all of them where None."""

    field: FieldName | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Move the digits behind the first `length` of `field` to the field `into`, which is empty;
    `DigitsMoved` answers."""

    field: FieldName
    length: int
    into: FieldName


@dataclass(frozen=True, slots=True)
class SetAside:
    """Keep the digits of this field until it is keyed again."""

    field: FieldName


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Overwrite what was keyed of this field, and let the digits count that were set aside."""

    field: FieldName


@dataclass(frozen=True, slots=True)
class DropAside:
    """Overwrite the digits of this field that were set aside."""

    field: FieldName


@dataclass(frozen=True, slots=True)
class Spend:
    """Hand what was captured to a payer."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell how far the capture is. `reason`: why a field was cleared or the capture ended."""

    reason: str | None = None


Command = Wipe | Split | SetAside | TakeBack | DropAside | Spend | Report
