"""Holds the table of permissions: who may carry out which operation of the API, and how far.

Rule 1: an operation without a row is refused to everybody; a test fails for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from b2bua.access.roles import Role, Scope


class Reach(IntEnum):
    """How far somebody reaches."""

    NOTHING = 0
    OWN = 1  # calls and payments of their own
    TEAM = 2  # those of their team, and calls that are nobody's
    ALL = 3


@dataclass(frozen=True, slots=True)
class Permission:
    """A row. `agent`, `supervisor`: how far they reach; `scope`: what a program needs; `others`:
    roles that may do it wherever; `everybody`: whoever is authenticated."""

    agent: Reach = Reach.NOTHING
    supervisor: Reach = Reach.NOTHING
    scope: Scope | None = None
    others: frozenset[Role] = frozenset()
    everybody: bool = False

    def reach(self, roles: frozenset[Role], scopes: frozenset[Scope]) -> Reach:
        """How far somebody of these roles and scopes reaches."""
        if self.everybody or roles & self.others:
            return Reach.ALL
        if Role.INTEGRATION in roles and self.scope is not None and self.scope in scopes:
            return Reach.ALL
        return max(
            self.supervisor if Role.SUPERVISOR in roles else Reach.NOTHING,
            self.agent if Role.AGENT in roles else Reach.NOTHING,
        )


_OWN, _TEAM, _ALL = Reach.OWN, Reach.TEAM, Reach.ALL
_EVERYBODY = Permission(everybody=True)
_ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})
_AUDITOR = Permission(others=frozenset({Role.AUDITOR}))
_SEE_CALLS = Permission(_OWN, _TEAM, Scope.CALLS_READ)
_SEE_PAYMENTS = Permission(_OWN, _TEAM, Scope.PAYMENTS_READ)
_TAKE = Permission(_OWN, _TEAM, Scope.PAYMENTS_TAKE)
_LINK = Permission(_OWN, _TEAM, Scope.LINKS)
_REFUND = Permission(supervisor=_TEAM, scope=Scope.PAYMENTS_REFUND)
_SETTLE = Permission(supervisor=_TEAM, scope=Scope.PAYMENTS_SETTLE)
_LADDERS = Permission(supervisor=_ALL, scope=Scope.LADDERS_READ, others=_ADMINISTRATOR)
_WEBHOOKS = Permission(scope=Scope.WEBHOOKS, others=_ADMINISTRATOR)
_EMBED = Permission(scope=Scope.EMBED)
_SERVICE = Permission(_ALL, _ALL, Scope.CALLS_READ, _ADMINISTRATOR)

PERMISSIONS: Final[dict[str, Permission]] = {
    # the service, and who one is
    "get_health": _EVERYBODY,
    "get_liveness": _EVERYBODY,
    "get_readiness": _EVERYBODY,
    "get_agent": _EVERYBODY,
    "list_currencies": _EVERYBODY,
    "get_form": _EVERYBODY,
    "list_forms": _EVERYBODY,
    "list_reasons": _EVERYBODY,
    "get_link_offer": _EVERYBODY,
    "describe_sign_in": _EVERYBODY,
    "sign_in": _EVERYBODY,
    "stay_signed_in": _EVERYBODY,
    "change_password": _EVERYBODY,
    "sign_out": _EVERYBODY,
    "sign_out_everywhere": _EVERYBODY,
    "describe_demo": _EVERYBODY,
    "key_demo_card": _EVERYBODY,  # of the demo alone: no trunk has it
    "list_trunks": Permission(supervisor=_ALL, scope=Scope.CALLS_READ, others=_ADMINISTRATOR),
    "get_statistics": Permission(supervisor=_TEAM),
    "get_statistics_table": Permission(supervisor=_TEAM),
    "get_log_level": Permission(others=_ADMINISTRATOR),
    "set_log_level": Permission(others=_ADMINISTRATOR),
    "get_metrics": Permission(others=frozenset({Role.METRICS, Role.ADMINISTRATOR})),
    # calls
    "list_calls": _SEE_CALLS,
    "get_call": _SEE_CALLS,
    "follow_calls": _SERVICE,  # each event by itself: see `sight`
    "list_ladders": _LADDERS,
    "get_ladder": _LADDERS,
    "draw_ladder": _LADDERS,
    "record_packets": Permission(others=_ADMINISTRATOR),
    "open_claim": _TAKE,
    "get_claim": _TAKE,
    "close_claim": _TAKE,
    # a payment in a call
    "announce_payment": _TAKE,
    "withdraw_payment": _TAKE,
    "release_mask": _TAKE,
    "start_payment": _TAKE,
    "ask_field": _TAKE,
    "skip_field": _TAKE,
    "reset_fields": _TAKE,
    "slow_keys": _TAKE,
    "submit_card": _TAKE,
    "cancel_payment": _TAKE,
    "take_over_payment": _TAKE,
    # payments beside calls
    "list_payments": _SEE_PAYMENTS,
    "get_payment": _SEE_PAYMENTS,
    "prepare_payment": _TAKE,
    "start_prepared_payment": _TAKE,
    "cancel_prepared_payment": _TAKE,
    "send_receipt": _TAKE,
    "charge_saved_card": Permission(supervisor=_TEAM, scope=Scope.CARDS_CHARGE),
    "open_link": _LINK,
    "open_link_in_call": _LINK,
    "close_link": _LINK,
    "get_link_qr": _LINK,
    # forms in pages of the company
    "create_embed_token": _EMBED,
    # money back, and outcomes that nobody knows
    "capture_payment": _REFUND,
    "void_payment": _REFUND,
    "refund_payment": _REFUND,
    "settle_payment": _SETTLE,
    "reconcile_payments": _SETTLE,
    # what the company's own services get
    "list_webhooks": _WEBHOOKS,
    "list_deliveries": _WEBHOOKS,
    "redeliver_webhook": _WEBHOOKS,
    # what is kept on a person, whichever agent's call it was
    "export_personal_data": Permission(others=_ADMINISTRATOR),
    "erase_personal_data": Permission(others=_ADMINISTRATOR),
    # who did what
    "read_audit": _AUDITOR,
    "get_audit_checkpoint": _AUDITOR,
}

# All that the token of an embedded form may be used for.
EMBEDDED: Final = frozenset(
    {
        "get_health",
        "get_liveness",
        "get_readiness",
        "get_agent",
        "list_currencies",
        "get_form",
        "list_forms",
        "list_reasons",
        "list_calls",
        "get_call",
        "follow_calls",
        "announce_payment",
        "withdraw_payment",
        "release_mask",
        "start_payment",
        "ask_field",
        "skip_field",
        "reset_fields",
        "slow_keys",
        "submit_card",
        "cancel_payment",
        "get_payment",
    }
)

# Operations whose body says which of several they are. The route asks again, for that one.
BY_BODY: Final[dict[str, tuple[str, ...]]] = {"create_payment": ("charge_saved_card", "prepare_payment")}
