"""What a call sounded like: a mean opinion score, estimated by the E-model in its simplest form
(ITU-T G.107 section 7).

R = 93.2 - Id - Ie,eff, where 93.2 is a line without fault and everything else at its default. Id is
what delay takes, by the fit of Cole and Rosenbluth (2001): 0.024 d, and 0.11 (d - 177.3) more above
177.3 ms. Ie,eff is what the codec and lost packets take (equation 7-29), with the codec's figures
of G.113 appendix I, and losses taken for random.

Rule 1: it is an estimate for comparing calls, never a measurement. Only what Tonewall sees goes
        into it: of the delay, a packet and a jitter buffer of twice the jitter, but not the way
        there.
Rule 2: of a codec whose figures are not here nothing is said.
"""

from __future__ import annotations

from b2bua.call.sdp.codecs import Codec

_FAULTLESS = 93.2
_PACKET_MS = 20.0
# G.113 appendix I, Ie and Bpl (how well losses are concealed): G.711 with concealment, as phones
# have it, and G.729A with VAD, since SDP does not tell annex A from the main body. Of iLBC, AMR,
# Opus and G.722 nothing is said: a figure for another mode or band would be a guess.
_CODECS = {"PCMU": (0.0, 25.1), "PCMA": (0.0, 25.1), "G729": (11.0, 19.0)}


def estimate_mos(codec: Codec | None, missing: int, expected: int, jitter_ms: float) -> float | None:
    """From 1 (bad) to 4.41 (as good as a narrow-band line is); None where nothing can be said."""
    figures = _CODECS.get(codec.name) if codec is not None else None
    if figures is None or expected <= 0:
        return None
    equipment, robustness = figures
    lost = 100 * min(missing, expected) / expected
    delay_ms = _PACKET_MS + 2 * jitter_ms
    impaired = 0.024 * delay_ms + 0.11 * max(delay_ms - 177.3, 0)
    effective = equipment + (95 - equipment) * lost / (lost + robustness)
    return round(_score(_FAULTLESS - impaired - effective), 2)


def _score(rating: float) -> float:
    """G.107 annex B."""
    if rating <= 0:
        return 1.0
    rating = min(rating, 100.0)
    return max(1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating), 1.0)
