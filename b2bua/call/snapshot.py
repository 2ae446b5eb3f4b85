"""Serialises a call, so that it may go on in another process, and restores it.

Rule 1: no digit and no password is in a snapshot: a call has counts, outcomes and its legs'
        descriptions. SRTP keys are in descriptions: a snapshot is kept as carefully as the calls.
Rule 2: a payment under way is restored as it was. Media knows whether it still has the card.
"""

from __future__ import annotations

from pathlib import Path

from b2bua.call import (
    agent_phone,
    agent_tones,
    bridge,
    call,
    call_session,
    cdr,
    charge_defaults,
    deafness,
    feature_codes,
    follow_up,
    guide,
    identity,
    key_notes,
    leg,
    leg_command,
    leg_pair,
    link,
    mask_note,
    media_gate,
    mid_call_requests,
    next_places,
    obstacle,
    order,
    owned_payment,
    payment,
    prepared,
    renegotiation,
    renegotiation_states,
    report,
    state,
    take_over,
    trunk_policy,
    unattended,
    unattended_states,
    unattended_view,
    view,
)
from b2bua.call.call import Call
from b2bua.call.routing import form_end, numbers, route, router, trunk
from b2bua.call.schema import SCHEMA
from b2bua.call.sdp import codecs, description, leg_descriptions, loaned_leg, offer_answer
from b2bua.call.transfer import leg_loan, states, transfer
from media import codecs as audio_codecs
from media import events, mask_policy, stream_description
from provider_adapters import payment as charges
from tonewall.snapshot import Kinds, SnapshotError, read, write
from tonewall.snapshot_shapes import earlier

SHAPES = Path(__file__).parent / "shapes"
KINDS = Kinds(
    (
        *events.MODULES, agent_phone, agent_tones, audio_codecs, bridge, call, cdr, charge_defaults,
        charges, codecs, deafness, description, feature_codes, follow_up, form_end, guide, identity,
        key_notes, leg, leg_command, leg_descriptions, leg_loan, leg_pair, link, loaned_leg,
        mask_note, mask_policy, media_gate, call_session, mid_call_requests, next_places, numbers, obstacle,
        offer_answer, order, owned_payment, payment, prepared, renegotiation, renegotiation_states,
        report, route, router, state, states, stream_description, take_over, transfer, trunk_policy,
        unattended, unattended_states, unattended_view, view,
    ),
    # Of sip.conf, or on their way.
    never=(trunk.Trunk, leg.LegRequested, leg_command.RequestLeg, router.Pattern, router.Rule),
    settings=(
        trunk_policy.TrunkPolicy, charge_defaults.ChargeDefaults, events.CaptureForm, events.Masking,
    ),
    schema=SCHEMA,
    earlier=earlier(SHAPES),
)  # fmt: skip


def snapshot_call(call: Call, now: float) -> bytes:
    """Serialise a call. `now`: on the monotonic clock, in seconds."""
    return write(call, KINDS, now)


def restore_call(data: bytes, now: float) -> Call:
    """Restore a call. `now`: as for `snapshot_call`. Raises SnapshotError."""
    found = read(data, KINDS, now)
    if not isinstance(found, Call):
        raise SnapshotError("it is no call")
    return found
