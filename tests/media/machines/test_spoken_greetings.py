"""Greetings as they are spoken: nobody is hung up on, and hardly a machine is missed."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

from twoleg.media.machine_detection import LONG_GREETING_SECONDS, AnsweredBy, MachineDetector

BENCH = Path(__file__).parents[3] / "bench"


@pytest.fixture(scope="module")
def greetings():
    """`bench/_greetings.py`: what the table in docs/answering-machines.md is made of."""
    spec = importlib.util.spec_from_file_location("_greetings", BENCH / "_greetings.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["_greetings"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["_greetings"]


def verdicts(recordings):
    found = Counter()
    for recording in recordings:
        detector = MachineDetector()
        detector.take(recording.samples)
        found[detector.verdict.answered_by] += 1
    return found


def test_no_person_is_taken_for_a_machine_who_does_not_talk_as_long_as_one(greetings):
    people = [
        recording
        for recording in greetings.recordings(greetings.Kind.PERSON, 40, seed=7)
        if recording.greeting_seconds < LONG_GREETING_SECONDS
    ]
    found = verdicts(people)
    assert len(people) >= 36
    assert found[AnsweredBy.MACHINE] == 0
    assert found[AnsweredBy.HUMAN] >= len(people) - 2


def test_nine_machines_of_ten_are_found(greetings):
    found = verdicts(greetings.recordings(greetings.Kind.MACHINE, 36, seed=7))
    assert found[AnsweredBy.MACHINE] >= 33


def test_tones_and_noise_are_neither(greetings):
    found = verdicts(greetings.recordings(greetings.Kind.NOBODY, 18, seed=7))
    assert found[AnsweredBy.UNKNOWN] >= 17
