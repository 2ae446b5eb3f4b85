"""Errors of the client.

    TonewallError
    ├── ConnectionFailed      no answer came; what was asked for may have been done or not
    ├── WebhookRefused        a webhook is not what it says
    └── ApiError              an answer that is a problem (RFC 9457)
        ├── NotAuthenticated  401
        ├── NotPermitted      403
        │   └── NotYours      another agent drives the payment: `agent`
        ├── NotFound          404
        ├── Conflict          409
        │   └── OrderCharged  the order was charged, or may have been: `payments`
        ├── Invalid           422: `errors` has each field
        ├── TooMany           429: `retry_after`
        └── Unavailable       503: `retry_after`

Rule 1: no error repeats the token or what was sent.
"""

from __future__ import annotations

import json
from typing import Any


class TonewallError(Exception):
    """Whatever the client raises."""


class ConnectionFailed(TonewallError):
    """No answer came. What was asked for may have been done or not."""


class WebhookRefused(TonewallError):
    """A webhook is not genuine, not for you, or old."""


class ApiError(TonewallError):
    """The service refused. `type`, `detail` and the rest are those of the problem."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        super().__init__(f"{status}: {self.detail}" if self.detail else str(status))

    @property
    def type(self) -> str:
        """The kind of the problem."""
        return str(self.problem.get("type", "about:blank"))

    @property
    def detail(self) -> str:
        """A sentence for the agent's eyes."""
        return str(self.problem.get("detail", ""))

    @property
    def errors(self) -> list[dict[str, str]]:
        """Each field, and what is wrong with it."""
        return list(self.problem.get("errors", ()))


class NotAuthenticated(ApiError):
    """There is no token, or no valid one."""


class NotPermitted(ApiError):
    """The role of the token does not permit it."""


class NotYours(NotPermitted):
    """Another agent drives the payment."""

    @property
    def agent(self) -> str:
        """Whose payment it is."""
        return str(self.problem.get("agent", ""))


class NotFound(ApiError):
    """There is no such call or payment."""


class Conflict(ApiError):
    """It does not fit the state of the call or payment."""


class OrderCharged(Conflict):
    """The order was charged, or may have been."""

    @property
    def payments(self) -> list[dict[str, Any]]:
        """The payments that charged it, the newest first."""
        return list(self.problem.get("payments", ()))


class Invalid(ApiError):
    """The request is not as described."""


class TooMany(ApiError):
    """There are too many; try again after `retry_after` seconds."""


class Unavailable(ApiError):
    """It cannot be done now."""


_BY_TYPE = {"urn:tonewall:order-charged": OrderCharged, "urn:tonewall:not-yours": NotYours}
_BY_STATUS: dict[int, type[ApiError]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: TooMany,
    503: Unavailable,
}


def error_for(status: int, content_type: str, content: bytes, retry_after: str = "") -> ApiError:
    """The error that an answer is. What is no problem document has no `detail`."""
    problem: Any = None
    if "json" in content_type:
        try:
            problem = json.loads(content)
        except ValueError:
            problem = None
    problem = problem if isinstance(problem, dict) else {}
    kind = _BY_TYPE.get(str(problem.get("type"))) or _BY_STATUS.get(status, ApiError)
    return kind(status, problem, float(retry_after) if retry_after.isdecimal() else None)
