"""Hold and resume: whoever is put on hold hears music, and never silence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.journal import Journal
from twoleg.calls.ports import Playing, Tones


@contextmanager
def holding(
    tones: Tones,
    journal: Journal,
    agent: CallLeg,
    contact: CallLeg,
    changed: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Mind the holds of two legs that are joined, for as long as the block lasts.

    A leg may be on hold already. What each side does is told as `call.held` and `call.resumed`, and
    by `changed`.
    """
    told = changed or (lambda: None)
    sides = (
        _Side(tones, journal, agent, contact, told),
        _Side(tones, journal, contact, agent, told),
    )
    try:
        for side in sides:
            side.begin()
        yield
    finally:
        for side in sides:
            side.end()


class _Side:
    """One leg that may hold, and the other, which hears music then."""

    __slots__ = ("_journal", "_leg", "_music", "_other", "_told", "_tones")

    def __init__(
        self,
        tones: Tones,
        journal: Journal,
        leg: CallLeg,
        other: CallLeg,
        told: Callable[[], None],
    ) -> None:
        self._tones = tones
        self._journal = journal
        self._leg = leg
        self._other = other
        self._told = told
        self._music: Playing | None = None

    def begin(self) -> None:
        media = self._leg.media
        media.on_hold = self._changed
        if media.is_held:
            self._changed(held=True)

    def end(self) -> None:
        self._leg.media.on_hold = None
        self._stop_music()

    def _changed(self, *, held: bool) -> None:
        record = self._leg.record
        self._journal.note(
            "call.held" if held else "call.resumed",
            {"role": record.role, "leg": record.position},
        )
        self._stop_music()
        if held:
            self._music = self._other.media.port.play(self._tones.hold(), loop=True)
        self._told()

    def _stop_music(self) -> None:
        music, self._music = self._music, None
        if music is not None:
            # The bridge goes on in the same turn.
            music.stop()
