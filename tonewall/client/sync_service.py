"""Methods about the service, its records and its webhooks, sync.

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
from tonewall.client.requests import SyncSender, make_request
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


class SyncService(SyncSender):
    """Methods about the service, its records and its webhooks."""

    def get_health(self) -> HealthView:
        """Whether the service is well."""
        answer: HealthView = self._send(make_request("GET", "/healthz", also=503))
        return answer

    def get_agent(self) -> AgentView:
        """Whose token this is."""
        answer: AgentView = self._send(make_request("GET", "/v1/me"))
        return answer

    def list_currencies(self) -> dict[str, int]:
        """Currencies and their decimals."""
        answer: dict[str, int] = self._send(make_request("GET", "/v1/currencies"))
        return answer

    def get_form(self) -> FormDescription:
        """The fields that a customer usually keys."""
        answer: FormDescription = self._send(make_request("GET", "/v1/form"))
        return answer

    def list_forms(self) -> list[FormDescription]:
        """All forms that a customer may key."""
        answer: list[FormDescription] = self._send(make_request("GET", "/v1/forms"))
        return answer

    def list_reasons(self) -> dict[str, dict[str, str]]:
        """Reasons of outcomes, in sentences."""
        answer: dict[str, dict[str, str]] = self._send(make_request("GET", "/v1/reasons"))
        return answer

    def list_trunks(self) -> list[TrunkView]:
        """List the trunks."""
        answer: list[TrunkView] = self._send(make_request("GET", "/v1/trunks"))
        return answer

    def get_liveness(self) -> LivenessView:
        """Whether the process answers."""
        answer: LivenessView = self._send(make_request("GET", "/livez"))
        return answer

    def get_readiness(self) -> ReadinessView:
        """Whether calls are taken."""
        answer: ReadinessView = self._send(make_request("GET", "/readyz", also=503))
        return answer

    def describe_sign_in(self) -> SignInView:
        """Which ways to sign in there are."""
        answer: SignInView = self._send(make_request("GET", "/sign-in"))
        return answer

    def sign_in(self, **body: Unpack[SignInBody]) -> SignedInView:
        """Sign in by name and password."""
        answer: SignedInView = self._send(make_request("POST", "/sign-in", body=body))
        return answer

    def change_password(self, **body: Unpack[PasswordBody]) -> None:
        """Change one's password."""
        self._send(make_request("POST", "/v1/me/password", body=body))

    def sign_out(self) -> None:
        """End this session."""
        self._send(make_request("POST", "/sign-out"))

    def sign_out_everywhere(self) -> None:
        """End all one's sessions."""
        self._send(make_request("POST", "/sign-out-everywhere"))

    def stay_signed_in(self) -> None:
        """Say that somebody is there."""
        self._send(make_request("POST", "/v1/me/active"))

    def get_metrics(self) -> str:
        """Counts for Prometheus."""
        answer: str = self._send(make_request("GET", "/metrics"))
        return answer

    def list_ladders(self) -> list[LadderSummary]:
        """List the calls whose messages are kept."""
        answer: list[LadderSummary] = self._send(make_request("GET", "/v1/ladders"))
        return answer

    def draw_ladder(self, call_id: str) -> str:
        """A call's messages as a picture."""
        answer: str = self._send(make_request("GET", "/v1/calls/{call_id}/ladder.svg", call_id))
        return answer

    def get_ladder(self, call_id: str) -> LadderView:
        """A call's messages."""
        answer: LadderView = self._send(make_request("GET", "/v1/calls/{call_id}/ladder", call_id))
        return answer

    def export_personal_data(self, **body: Unpack[PersonBody]) -> dict[str, Any]:
        """Everything that is kept on a person."""
        answer: dict[str, Any] = self._send(make_request("POST", "/v1/personal-data/export", body=body))
        return answer

    def erase_personal_data(self, **body: Unpack[ErasureBody]) -> Erasure:
        """Erase a person's numbers."""
        answer: Erasure = self._send(make_request("POST", "/v1/personal-data/erase", body=body))
        return answer

    def read_audit(
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
        answer: str = self._send(
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

    def get_audit_checkpoint(self) -> dict[str, Any]:
        """What the last line of the audit log is, signed."""
        answer: dict[str, Any] = self._send(make_request("GET", "/v1/audit/checkpoint"))
        return answer

    def list_webhooks(self) -> list[WebhookView]:
        """List the services that get events."""
        answer: list[WebhookView] = self._send(make_request("GET", "/v1/webhooks"))
        return answer

    def list_deliveries(
        self,
        *,
        state: Literal["waiting", "delivered", "failed"] | None = None,
        webhook: str | None = None,
        payment: str | None = None,
        before: str | None = None,
        limit: int | None = None,
    ) -> list[DeliveryView]:
        """List deliveries, the newest first."""
        answer: list[DeliveryView] = self._send(
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

    def redeliver_webhook(self, delivery_id: str) -> DeliveryView:
        """Send an event again."""
        answer: DeliveryView = self._send(
            make_request("POST", "/v1/webhooks/deliveries/{delivery_id}/redeliver", delivery_id)
        )
        return answer

    def get_log_level(self) -> LogLevelView:
        """How it is logged."""
        answer: LogLevelView = self._send(make_request("GET", "/v1/log-level"))
        return answer

    def set_log_level(self, **body: Unpack[LogLevelBody]) -> LogLevelView:
        """Log more or less for a while."""
        answer: LogLevelView = self._send(make_request("POST", "/v1/log-level", body=body))
        return answer

    def get_statistics(self, *, hours: Hours | None = None) -> StatisticsView:
        """Calls and payments of the last hours, in numbers."""
        answer: StatisticsView = self._send(make_request("GET", "/v1/statistics", query={"hours": hours}))
        return answer

    def get_statistics_table(
        self,
        *,
        table: Literal["calls", "payments", "trunks", "quality", "agents", "reasons", "providers"],
        hours: Hours | None = None,
    ) -> str:
        """One table of the same, as CSV."""
        answer: str = self._send(
            make_request("GET", "/v1/statistics/table", query={"table": table, "hours": hours})
        )
        return answer

    def create_embed_token(self, **body: Unpack[EmbedTokenBody]) -> EmbedTokenView:
        """Get a token for an embedded form."""
        answer: EmbedTokenView = self._send(make_request("POST", "/v1/embed-tokens", body=body))
        return answer
