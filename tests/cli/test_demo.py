"""How the demo measures and judges; the whole of it runs in tests/processes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from twoleg.cli.demo.command import Played, judge
from twoleg.cli.demo.meter import ToneMeter
from twoleg.cli.demo.reports import Happening, PhoneScript, Report
from twoleg.cli.demo.screen import Screen
from twoleg.media import Codec, steady

HEARD = {"level": -22.0, "seconds": 2.8}
DEAF = {"level": None, "seconds": 0.0}
RECORD = {
    "outcome": "connected",
    "ended_by": "contact",
    "agent_ring_seconds": 1.0,
    "contact_ring_seconds": 1.0,
    "talk_seconds": 3.0,
    "total_seconds": 5.1,
}


def fed(*frequencies: float, codec: Codec = Codec.PCMU) -> tuple[ToneMeter, list[str]]:
    """A meter that looks for 1000 Hz and not for 700, after a second of `frequencies`."""
    said: list[str] = []
    meter = ToneMeter(1000, 700, lambda: said.append("heard"))
    for frame in steady(frequencies, 1000).frames(codec):
        meter.receive(codec, frame)
    return meter, said


@pytest.mark.parametrize("codec", list(Codec))
def test_the_other_side_is_heard_at_the_level_it_plays(codec: Codec) -> None:
    meter, said = fed(1000, codec=codec)

    assert said == ["heard"]
    assert meter.seconds == pytest.approx(1.0)
    assert meter.level == pytest.approx(-22.1, abs=1)


@pytest.mark.parametrize("frequencies", [(700,), (440, 480), (700, 1000)])
def test_an_echo_or_a_ringback_tone_is_not_the_other_side(frequencies) -> None:
    meter, said = fed(*frequencies)

    assert (meter.level, said) == (None, [])


@pytest.mark.parametrize(
    ("agent", "contact", "record", "good"),
    [
        (HEARD, HEARD, RECORD, True),
        (DEAF, HEARD, RECORD, False),
        (HEARD, DEAF, RECORD, False),
        (HEARD, {"level": -22.0, "seconds": 0.2}, RECORD, False),
        (HEARD, HEARD, {**RECORD, "outcome": "contact_no_answer"}, False),
    ],
)
def test_the_demo_is_good_only_if_both_were_heard_and_the_record_says_connected(
    agent: dict[str, Any], contact: dict[str, Any], record: dict[str, Any], good: bool
) -> None:
    shown = io.StringIO()

    verdict = judge(Screen(Console(file=shown, width=120)), Played(record, agent, contact))

    assert verdict is good
    assert record["outcome"] in shown.getvalue()


def test_scripts_and_reports_pass_through_a_pipe() -> None:
    script = PhoneScript(tone_hz=700, expected_hz=1000, ring_seconds=1.0, password="p\nq")
    report = Report(Happening.HEARS, {"hertz": 1000})

    assert PhoneScript.from_line(script.to_line()) == script
    assert Report.from_line(report.to_line()) == report
    assert script.to_line().count("\n") == 1
