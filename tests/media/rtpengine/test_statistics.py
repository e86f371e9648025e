"""A node's figures of a call, as one leg's quality."""

import pytest
from hypothesis import given, settings

from twoleg.media import Codec
from twoleg.media.rtpengine.statistics import (
    LegStatistics,
    Securing,
    StreamReport,
    leg_statistics,
    local_place,
    quality_of,
    securing,
)

from .test_bencode import VALUES

SOURCE = {"SSRC": 7}
SOURCES = {"ingress SSRCs": [{"SSRC": 7, "packets": 400}, {"SSRC": 6, "packets": 100}]}
"""As 12.4 to 13.3 have it, the last that was heard first."""


def reply(source=SOURCE, **report):
    stream = {**source, "stats": {"packets": 500, "bytes": 86000, "errors": 0}}
    heard = {"7": report} if report else {}
    return {"SSRC": heard, "tags": {"a": {"medias": [{"streams": [stream, {}]}]}}}


def test_a_stream_on_which_nobody_has_reported():
    assert leg_statistics(reply(), "a") == LegStatistics(500)


@pytest.mark.parametrize("source", [SOURCE, SOURCES])
def test_the_last_report_counts(source):
    entries = [
        {"jitter": 9, "round-trip time": 9000, "packet loss": 9},
        {"jitter": 2, "round-trip time": 41000, "packet loss": 0},
    ]
    told = reply(source, **{"cumulative loss": 5, "MOS progression": {"entries": entries}})
    assert leg_statistics(told, "a") == LegStatistics(500, StreamReport(5, 2.0, 41.0))


def test_a_leg_that_the_node_does_not_know():
    assert leg_statistics(reply(), "b") is None


def tagged(**stream):
    return {"tags": {"a": {"medias": [{"streams": [stream, {}]}]}}}


def test_a_participants_own_place_at_its_node():
    there = tagged(**{"local address": b"10.0.0.7", "local port": 30_000})
    assert local_place(there, "a") == ("10.0.0.7", 30_000)
    assert local_place(there, "b") is None
    assert local_place(tagged(), "a") is None


NOWHERE, FOUND = {"address": b"0.0.0.0", "port": 9}, {"address": b"192.0.2.9", "port": 4000}


@pytest.mark.parametrize(
    ("stream", "seen"),
    [
        ({}, Securing(False, False, False)),
        ({"endpoint": NOWHERE, "flags": [b"RTP"]}, Securing(False, False, False)),
        ({"endpoint": FOUND, "flags": [b"RTP"]}, Securing(True, False, False)),
        ({"endpoint": FOUND, "crypto suite": b"x", "flags": []}, Securing(True, True, False)),
        (
            {"endpoint": FOUND, "crypto suite": b"x", "flags": [b"DTLS fingerprint verified"]},
            Securing(True, True, True),
        ),
    ],
)
def test_how_far_a_browser_has_come(stream, seen):
    assert securing(tagged(**stream), "a") == seen


@settings(max_examples=50)
@given(VALUES, VALUES)
def test_no_reply_does_harm(tags, ssrc):
    assert leg_statistics({"tags": tags, "SSRC": ssrc}, "a") in (None, LegStatistics())


def test_the_score_falls_with_what_was_lost():
    def score(lost):
        leg = LegStatistics(500, StreamReport(lost, 2.0, 40.0))
        return quality_of(Codec.PCMU, leg, None).mos

    assert score(0) > 4.2 > score(10) > score(50)


@pytest.mark.parametrize(
    ("codec", "leg"),
    [
        (None, LegStatistics(500, StreamReport(0, 0.0, None))),
        (Codec.PCMU, LegStatistics(24, StreamReport(0, 0.0, None))),
        (Codec.PCMU, LegStatistics(500)),
    ],
)
def test_what_is_not_known_has_no_score(codec, leg):
    assert quality_of(codec, leg, None).mos is None
