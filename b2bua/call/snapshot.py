"""A call written out, so that it may go on in another process, and read back.

Rule 1: no digit and no password: a call holds counts, outcomes and what its legs described. SDES
        keys of SRTP are in session descriptions: whoever keeps what is written keeps it as
        carefully as the calls.
Rule 2: a payment under way is read back as it was; whether media still has its card, media says.
"""

from __future__ import annotations

from b2bua.call import bridge, call, cdr, deafness, leg, payment, renegotiation, state, view
from b2bua.call import media_gate as answers
from b2bua.call import mid_call_requests as relayed
from b2bua.call.call import Call
from b2bua.call.routing import numbers, route, trunk
from b2bua.call.routing import router as routing
from b2bua.call.sdp import codecs
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import offer_answer as descriptions
from b2bua.call.transfer import leg_loan as loan
from b2bua.call.transfer import states as transfer_state
from b2bua.call.transfer import transfer
from media import codecs as audio_codecs
from media import events, mask_policy, stream_description
from provider_adapters import payment as charges
from tonewall.snapshot import Kinds, SnapshotError, read, write

KINDS = Kinds(
    (
        answers, audio_codecs, bridge, call, cdr, charges, codecs, deafness, descriptions, *events.MODULES,
        leg, loan, mask_policy, stream_description, numbers, payment, relayed, renegotiation, route, routing,
        sdp, state, transfer, transfer_state, view,
    ),
    # Of sip.conf, or on their way.
    never=(trunk.Trunk, leg.LegRequested, leg.RequestLeg, routing.Pattern, routing.Rule),
)  # fmt: skip


def snapshot_call(call: Call, now: float) -> bytes:
    """All that there is of a call. `now`: on the monotonic clock."""
    return write(call, KINDS, now)


def restore_call(data: bytes, now: float) -> Call:
    """The call. Raises SnapshotError."""
    found = read(data, KINDS, now)
    if not isinstance(found, Call):
        raise SnapshotError("it is no call")
    return found
