"""Who answered: recordings of people, machines and nobody, and what the detector makes of them.

Prints the confusion table in Markdown, then the figures. `--show` lists what it took for something
else. The recordings are synthesised (`_greetings.py`), the same for the same seed.
"""

import argparse
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from _figures import figure, machine, percentile
from _greetings import LEVELS, RATE, Kind, Recording, recordings

from twoleg.media.machine_detection import AnsweredBy, MachineDetector, Verdict

BEEP_WITHIN_SECONDS = 0.3


@dataclass
class Score:
    verdicts: Counter[AnsweredBy] = field(default_factory=Counter)
    by_level: dict[float, Counter[AnsweredBy]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: list[float] = field(default_factory=list)
    beeps: int = 0
    beeps_heard: int = 0
    beeps_imagined: int = 0
    audio_seconds: float = 0.0
    cpu_seconds: float = 0.0


EXPECTED = {
    Kind.PERSON: AnsweredBy.HUMAN,
    Kind.MACHINE: AnsweredBy.MACHINE,
    Kind.NOBODY: AnsweredBy.UNKNOWN,
}


def main() -> None:
    arguments = _arguments()
    machine()
    scores = {}
    for kind in Kind:
        scores[kind] = Score()
        for recording in recordings(kind, arguments.recordings, arguments.seed):
            _listen(recording, scores[kind], show=arguments.show)
    _print_table(scores)
    for kind, score in scores.items():
        _print_figures(kind, score)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=240, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="name what was taken for another")
    return parser.parse_args()


def _listen(recording: Recording, score: Score, *, show: bool) -> None:
    detector = MachineDetector()
    first: Verdict | None = None
    beeps = []
    spent = time.process_time()
    samples = recording.samples
    for start in range(0, len(samples), 160):
        before = detector.beep
        detector.take(samples[start : start + 160])
        first = first or detector.verdict
        if detector.beep is not before and detector.beep is not None:
            beeps.append(detector.beep.ended_at)
    score.cpu_seconds += time.process_time() - spent
    score.audio_seconds += len(samples) / RATE
    verdict = detector.verdict
    assert verdict is not None
    assert first is not None
    score.verdicts[verdict.answered_by] += 1
    score.by_level[recording.level][verdict.answered_by] += 1
    score.seconds.append(first.seconds)
    heard = [
        at
        for at in beeps
        if recording.beep_at is not None and abs(at - recording.beep_at) <= BEEP_WITHIN_SECONDS
    ]
    score.beeps += recording.beep_at is not None
    score.beeps_heard += bool(heard)
    score.beeps_imagined += len(beeps) - len(heard)
    if show and (verdict.answered_by is not EXPECTED[recording.kind] or len(beeps) != len(heard)):
        print(
            f"{recording.kind} of {recording.greeting_seconds:.1f} s at {recording.level:g} dBm0"
            f" ({recording.name}): {verdict}, beeps at {beeps}, one is at {recording.beep_at}"
        )


def _print_table(scores: dict[Kind, Score]) -> None:
    print("\n| who answered | human | machine | unknown | decided after, p50 / p95 |")
    print("|---|---|---|---|---|")
    for kind, score in scores.items():
        counts = " | ".join(str(score.verdicts[each]) for each in AnsweredBy)
        times = f"{percentile(score.seconds, 50):.1f} / {percentile(score.seconds, 95):.1f} s"
        print(f"| {kind} | {counts} | {times} |")
    print("\n| dBm0 | people taken for machines | machines found |\n|---|---|---|")
    for level in LEVELS:
        people, machines = scores[Kind.PERSON].by_level[level], scores[Kind.MACHINE].by_level[level]
        print(
            f"| {level:g} | {people[AnsweredBy.MACHINE]} of {people.total()}"
            f" | {machines[AnsweredBy.MACHINE]} of {machines.total()} |"
        )
    print()


def _print_figures(kind: Kind, score: Score) -> None:
    figure(f"machine_detection.{kind}.right", score.verdicts[EXPECTED[kind]], "recordings")
    if score.beeps:
        figure(f"machine_detection.{kind}.beeps_heard", score.beeps_heard / score.beeps, "ratio")
    figure(f"machine_detection.{kind}.beeps_imagined", score.beeps_imagined, "count")
    cost = 100 * score.cpu_seconds / score.audio_seconds
    figure(f"machine_detection.{kind}.cpu", cost, "%_of_a_core_a_call")


if __name__ == "__main__":
    main()
