"""How well a leg sounded, in figures."""

from typing import Final, NamedTuple

from twoleg.media.codec import Codec

MIN_PACKETS_FOR_MOS: Final = 25
"""Half a second: fewer packets say nothing about what was heard."""

_BASE_RATING = 93.2  # G.107: all other parameters at their defaults
_LOSS_ROBUSTNESS = {Codec.PCMU: 4.3, Codec.PCMA: 4.3, Codec.G722: 4.3}
"""Bpl without loss concealment (G.113 appendix I)."""


class Quality(NamedTuple):
    """What a leg's port has seen so far; counts are of packets. None: the plane does not know."""

    packets_received: int
    packets_lost: int | None
    jitter_ms: float | None
    round_trip_ms: float | None
    mos: float | None
    """Estimated mean opinion score of what came, 1 to 4.5; None while too little came."""

    packets_sent: int | None = 0
    packets_late: int | None = 0
    packets_duplicated: int | None = 0
    packets_rejected: int | None = 0
    """From a third party, of a payload type that nobody agreed on, or malformed."""

    far_packets_lost: int | None = None
    """Of those that we sent, as the far end reports; None while it has not."""

    far_jitter_ms: float | None = None


def mean_opinion_score(
    codec: Codec, *, loss: float, jitter_ms: float, round_trip_ms: float | None
) -> float:
    """Estimate by the E-model (ITU-T G.107, simplified); `loss` is the share lost, 0 to 1.

    The one-way delay is taken as half the round trip, a frame, and a jitter buffer of twice the
    jitter. G.722 is rated on the same narrowband scale.
    """
    delay = (round_trip_ms or 0.0) / 2 + 20 + 2 * jitter_ms
    delay_impairment = 0.024 * delay + (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)
    percent = 100 * loss
    loss_impairment = 95 * percent / (percent + _LOSS_ROBUSTNESS[codec])
    rating = max(0.0, min(100.0, _BASE_RATING - delay_impairment - loss_impairment))
    score = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return max(1.0, min(4.5, score))
