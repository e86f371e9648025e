"""What the demo's two phones and their call are called; one place for its numbers."""

from __future__ import annotations

LOOPBACK = "127.0.0.1"

RTP_PORTS = range(12_000, 32_000)
"""Below what Linux gives to outgoing connections; each process takes some at random."""

LINE = "+18552562001"
CONTACT = "+18181276543"
AGENT_NAME = "Alice"
AGENT_EMAIL = "alice@example.com"
AGENT_SIP_USERNAME = "alice"

AGENT_TONE_HZ = 700
CONTACT_TONE_HZ = 1000
"""Apart from each other, and from the frequencies of ringback tones (350 to 480 Hz)."""

RING_SECONDS = 1.0
TALK_SECONDS = 3.0
DEADLINE_SECONDS = 90.0
"""The whole demo takes about 15 s; past this something hangs, and it says what came last."""

HEARD_DBFS = -40.0
"""A tone counts as heard from this level on; silence and the other tone stay far below."""
MARGIN_DECIBELS = 20.0
"""How much louder than one's own tone it must be: an echo is not the other side."""
LEAST_HEARD_SECONDS = 1.0
"""Each side must hear the other for so long in all."""
