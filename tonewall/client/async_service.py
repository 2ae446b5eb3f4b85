"""Methods about the service, its records and its webhooks, async.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import Any, Literal, Unpack

from tonewall.client.bodies import (
    EmbedTokenBody,
    ErasureBody,
    LogLevelBody,
    PasswordBody,
    PersonBody,
    SignInBody,
)
from tonewall.client.requests import AsyncSender, make_request
from tonewall.client.service_views import (
    AgentView,
    DeliveryView,
    EmbedTokenView,
    Erasure,
    FormDescription,
    HealthView,
    Hours,
    LadderSummary,
    LadderView,
    LivenessView,
    LogLevelView,
    ReadinessView,
    SignedInView,
    SignInView,
    TrunkView,
    WebhookView,
)
from tonewall.client.statistics_views import StatisticsView


class AsyncService(AsyncSender):
    """Methods about the service, its records and its webhooks."""

    async def get_health(self) -> HealthView:
        """Whether the service is well."""
        answer: HealthView = await self._send(make_request("GET", "/healthz", also=503))
        return answer

    async def get_agent(self) -> AgentView:
        """Whose token this is."""
        answer: AgentView = await self._send(make_request("GET", "/v1/me"))
        return answer

    async def list_currencies(self) -> dict[str, int]:
        """Currencies and their decimals."""
        answer: dict[str, int] = await self._send(make_request("GET", "/v1/currencies"))
        return answer

    async def get_form(self) -> FormDescription:
        """The fields that a customer usually keys."""
        answer: FormDescription = await self._send(make_request("GET", "/v1/form"))
        return answer

    async def list_forms(self) -> list[FormDescription]:
        """All forms that a customer may key."""
        answer: list[FormDescription] = await self._send(make_request("GET", "/v1/forms"))
        return answer

    async def list_reasons(self) -> dict[str, dict[str, str]]:
        """Reasons of outcomes, in sentences."""
        answer: dict[str, dict[str, str]] = await self._send(make_request("GET", "/v1/reasons"))
        return answer

    async def list_trunks(self) -> list[TrunkView]:
        """List the trunks."""
        answer: list[TrunkView] = await self._send(make_request("GET", "/v1/trunks"))
        return answer

    async def get_liveness(self) -> LivenessView:
        """Whether the process answers."""
        answer: LivenessView = await self._send(make_request("GET", "/livez"))
        return answer

    async def get_readiness(self) -> ReadinessView:
        """Whether calls are taken."""
        answer: ReadinessView = await self._send(make_request("GET", "/readyz", also=503))
        return answer

    async def describe_sign_in(self) -> SignInView:
        """Which ways to sign in there are."""
        answer: SignInView = await self._send(make_request("GET", "/sign-in"))
        return answer

    async def sign_in(self, **body: Unpack[SignInBody]) -> SignedInView:
        """Sign in by name and password."""
        answer: SignedInView = await self._send(make_request("POST", "/sign-in", body=body))
        return answer

    async def change_password(self, **body: Unpack[PasswordBody]) -> None:
        """Change one's password."""
        await self._send(make_request("POST", "/v1/me/password", body=body))

    async def sign_out(self) -> None:
        """End this session."""
        await self._send(make_request("POST", "/sign-out"))

    async def sign_out_everywhere(self) -> None:
        """End all one's sessions."""
        await self._send(make_request("POST", "/sign-out-everywhere"))

    async def stay_signed_in(self) -> None:
        """Say that somebody is there."""
        await self._send(make_request("POST", "/v1/me/active"))

    async def get_metrics(self) -> str:
        """Counts for Prometheus."""
        answer: str = await self._send(make_request("GET", "/metrics"))
        return answer

    async def list_ladders(self) -> list[LadderSummary]:
        """List the calls whose messages are kept."""
        answer: list[LadderSummary] = await self._send(make_request("GET", "/v1/ladders"))
        return answer

    async def draw_ladder(self, call_id: str) -> str:
        """A call's messages as a picture."""
        answer: str = await self._send(make_request("GET", "/v1/calls/{call_id}/ladder.svg", call_id))
        return answer

    async def get_ladder(self, call_id: str) -> LadderView:
        """A call's messages."""
        answer: LadderView = await self._send(make_request("GET", "/v1/calls/{call_id}/ladder", call_id))
        return answer

    async def export_personal_data(self, **body: Unpack[PersonBody]) -> dict[str, Any]:
        """Everything that is kept on a person."""
        answer: dict[str, Any] = await self._send(make_request("POST", "/v1/personal-data/export", body=body))
        return answer

    async def erase_personal_data(self, **body: Unpack[ErasureBody]) -> Erasure:
        """Erase a person's numbers."""
        answer: Erasure = await self._send(make_request("POST", "/v1/personal-data/erase", body=body))
        return answer

    async def read_audit(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        call: str | None = None,
        actor: str | None = None,
        after: int | None = None,
        limit: int | None = None,
        opened: bool | None = None,
    ) -> str:
        """Lines of the audit log."""
        answer: str = await self._send(
            make_request(
                "GET",
                "/v1/audit",
                query={
                    "from": from_,
                    "to": to,
                    "call": call,
                    "actor": actor,
                    "after": after,
                    "limit": limit,
                    "opened": opened,
                },
            )
        )
        return answer

    async def get_audit_checkpoint(self) -> dict[str, Any]:
        """What the last line of the audit log is, signed."""
        answer: dict[str, Any] = await self._send(make_request("GET", "/v1/audit/checkpoint"))
        return answer

    async def list_webhooks(self) -> list[WebhookView]:
        """List the services that get events."""
        answer: list[WebhookView] = await self._send(make_request("GET", "/v1/webhooks"))
        return answer

    async def list_deliveries(
        self,
        *,
        state: Literal["waiting", "delivered", "failed"] | None = None,
        webhook: str | None = None,
        payment: str | None = None,
        before: str | None = None,
        limit: int | None = None,
    ) -> list[DeliveryView]:
        """List deliveries, the newest first."""
        answer: list[DeliveryView] = await self._send(
            make_request(
                "GET",
                "/v1/webhooks/deliveries",
                query={
                    "state": state,
                    "webhook": webhook,
                    "payment": payment,
                    "before": before,
                    "limit": limit,
                },
            )
        )
        return answer

    async def redeliver_webhook(self, delivery_id: str) -> DeliveryView:
        """Send an event again."""
        answer: DeliveryView = await self._send(
            make_request("POST", "/v1/webhooks/deliveries/{delivery_id}/redeliver", delivery_id)
        )
        return answer

    async def get_log_level(self) -> LogLevelView:
        """How it is logged."""
        answer: LogLevelView = await self._send(make_request("GET", "/v1/log-level"))
        return answer

    async def set_log_level(self, **body: Unpack[LogLevelBody]) -> LogLevelView:
        """Log more or less for a while."""
        answer: LogLevelView = await self._send(make_request("POST", "/v1/log-level", body=body))
        return answer

    async def get_statistics(self, *, hours: Hours | None = None) -> StatisticsView:
        """Calls and payments of the last hours, in numbers."""
        answer: StatisticsView = await self._send(
            make_request("GET", "/v1/statistics", query={"hours": hours})
        )
        return answer

    async def get_statistics_table(
        self,
        *,
        table: Literal["calls", "payments", "trunks", "quality", "agents", "reasons", "providers"],
        hours: Hours | None = None,
    ) -> str:
        """One table of the same, as CSV."""
        answer: str = await self._send(
            make_request("GET", "/v1/statistics/table", query={"table": table, "hours": hours})
        )
        return answer

    async def create_embed_token(self, **body: Unpack[EmbedTokenBody]) -> EmbedTokenView:
        """Get a token for an embedded form."""
        answer: EmbedTokenView = await self._send(make_request("POST", "/v1/embed-tokens", body=body))
        return answer
