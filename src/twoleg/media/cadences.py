"""Call-progress tones of the countries' networks (ITU-T E.180 Supplement 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple


class Burst(NamedTuple):
    """A stretch of a cadence: frequencies in Hz sounding together, or none for silence."""

    milliseconds: int
    frequencies: tuple[float, ...] = ()
    modulation: float | None = None
    """Hz with which the one frequency swells and fades."""
    decibels: float = 0.0
    """Louder (or fainter) than a tone usually is."""


Cadence = tuple[Burst, ...]
"""Bursts that follow one another, over and over."""


@dataclass(frozen=True, slots=True)
class CallProgress:
    """What one country's callers are used to hear."""

    ringback: Cadence
    busy: Cadence
    congestion: Cadence
    """Also known as reorder tone."""


def _rhythm(*milliseconds: int, of: tuple[float, ...], modulation: float | None = None) -> Cadence:
    """Tone and silence in turn."""
    return tuple(
        Burst(duration) if index % 2 else Burst(duration, of, modulation)
        for index, duration in enumerate(milliseconds)
    )


def _even(frequency: float, ringback: tuple[int, int], busy: int, congestion: int) -> CallProgress:
    """Make the tones of the many countries with one frequency, and silences as long as tones."""
    of = (frequency,)
    return CallProgress(
        ringback=_rhythm(*ringback, of=of),
        busy=_rhythm(busy, busy, of=of),
        congestion=_rhythm(congestion, congestion, of=of),
    )


_DOUBLE_RING: Final = (400, 200, 400, 2000)

_NORTH_AMERICA: Final = CallProgress(
    ringback=_rhythm(2000, 4000, of=(440, 480)),
    busy=_rhythm(500, 500, of=(480, 620)),
    congestion=_rhythm(250, 250, of=(480, 620)),
)

DEFAULT: Final = _even(425, (1000, 4000), busy=500, congestion=250)
"""For countries that are not listed: what E.180 recommends."""

BY_COUNTRY: Final[Mapping[str, CallProgress]] = MappingProxyType(
    {
        "AT": _even(420, (1000, 5000), busy=400, congestion=200),
        "AU": CallProgress(
            ringback=_rhythm(*_DOUBLE_RING, of=(400, 425, 450)),
            busy=_rhythm(375, 375, of=(425,)),
            congestion=(
                Burst(375, (425,)),
                Burst(375),
                Burst(375, (425,), decibels=-10.0),
                Burst(375),
            ),
        ),
        "BE": _even(425, (1000, 3000), busy=500, congestion=167),
        "BR": CallProgress(
            ringback=_rhythm(1000, 4000, of=(425,)),
            busy=_rhythm(250, 250, of=(425,)),
            congestion=_rhythm(250, 250, 750, 250, of=(425,)),
        ),
        "CA": _NORTH_AMERICA,
        "CH": _even(425, (1000, 4000), busy=500, congestion=200),
        "DE": _even(425, (1000, 4000), busy=480, congestion=240),
        "DK": _even(425, (1000, 4000), busy=500, congestion=200),
        "ES": CallProgress(
            ringback=_rhythm(1500, 3000, of=(425,)),
            busy=_rhythm(200, 200, of=(425,)),
            congestion=_rhythm(200, 200, 200, 200, 200, 600, of=(425,)),
        ),
        "FI": _even(425, (1000, 4000), busy=300, congestion=200),
        "FR": _even(440, (1500, 3500), busy=500, congestion=250),
        "GB": CallProgress(
            ringback=_rhythm(*_DOUBLE_RING, of=(400, 450)),
            busy=_rhythm(375, 375, of=(400,)),
            congestion=_rhythm(400, 350, 225, 525, of=(400,)),
        ),
        "IE": CallProgress(
            ringback=_rhythm(*_DOUBLE_RING, of=(400, 450)),
            busy=_rhythm(500, 500, of=(425,)),
            congestion=_rhythm(250, 250, of=(425,)),
        ),
        "IN": CallProgress(
            ringback=_rhythm(*_DOUBLE_RING, of=(400,), modulation=25),
            busy=_rhythm(750, 750, of=(400,)),
            congestion=_rhythm(250, 250, of=(400,)),
        ),
        "IT": _even(425, (1000, 4000), busy=500, congestion=200),
        "JP": CallProgress(
            ringback=_rhythm(1000, 2000, of=(400,), modulation=16),
            busy=_rhythm(500, 500, of=(400,)),
            congestion=_rhythm(500, 500, of=(400,)),
        ),
        "MX": _even(425, (1000, 4000), busy=250, congestion=250),
        "NL": _even(425, (1000, 4000), busy=500, congestion=250),
        "NO": _even(425, (1000, 4000), busy=500, congestion=200),
        "NZ": CallProgress(
            ringback=_rhythm(*_DOUBLE_RING, of=(400, 450)),
            busy=_rhythm(500, 500, of=(400,)),
            congestion=_rhythm(250, 250, of=(400,)),
        ),
        "PL": _even(425, (1000, 4000), busy=500, congestion=500),
        "PT": _even(425, (1000, 5000), busy=500, congestion=200),
        "SE": CallProgress(
            ringback=_rhythm(1000, 5000, of=(425,)),
            busy=_rhythm(250, 250, of=(425,)),
            congestion=_rhythm(250, 750, of=(425,)),
        ),
        "US": _NORTH_AMERICA,
        "ZA": CallProgress(
            ringback=_rhythm(*_DOUBLE_RING, of=(400,), modulation=33),
            busy=_rhythm(500, 500, of=(400,)),
            congestion=_rhythm(250, 250, of=(400,)),
        ),
    }
)
"""By ISO 3166 code."""

SPECIAL_INFORMATION: Final[Cadence] = (
    Burst(330, (950,)),
    Burst(330, (1400,)),
    Burst(330, (1800,)),
    Burst(1000),
)
"""Three rising tones: the number cannot be reached at all (ITU-T E.180 section 3.8)."""

ATTENTION: Final[Cadence] = (
    Burst(150, (660,)),
    Burst(50),
    Burst(150, (880,)),
    Burst(1650),
)
"""Two short rising tones: something is expected of the listener."""

HOLD: Final[Cadence] = tuple(
    burst
    for chord in ((262, 330), (294, 349), (330, 392), (294, 349))
    for burst in (Burst(700, chord, decibels=-6.0), Burst(800))
)
"""Soft chords that come and go: the other side is still there."""


def call_progress(country: str | None) -> CallProgress:
    """Return the tones of a country, by its ISO 3166 code, or the ones that E.180 recommends."""
    return BY_COUNTRY.get((country or "").upper(), DEFAULT)
