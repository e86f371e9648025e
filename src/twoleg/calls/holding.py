"""Hold and resume: whoever is put on hold hears music, and never silence."""

from collections.abc import Callable

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.journal import Journal
from twoleg.calls.ports import Playing, Tones


class Holding:
    """Minds the holds of two legs that are joined, for as long as its block lasts.

    A leg may be on hold already. What each side does is told as `call.held` and `call.resumed`, and
    by `changed`.
    """

    __slots__ = ("_agent", "_contact")

    def __init__(
        self,
        tones: Tones,
        journal: Journal,
        agent: CallLeg,
        contact: CallLeg,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._agent = _Side(tones, journal, agent, contact, changed)
        self._contact = _Side(tones, journal, contact, agent, changed)

    def __enter__(self) -> None:
        self._agent.begin()
        self._contact.begin()

    def __exit__(self, *error: object) -> None:
        self._agent.end()
        self._contact.end()


class _Side:
    """One leg that may hold, and the other, which hears music then."""

    __slots__ = ("_journal", "_leg", "_music", "_other", "_told", "_tones")

    def __init__(
        self,
        tones: Tones,
        journal: Journal,
        leg: CallLeg,
        other: CallLeg,
        told: Callable[[], None] | None,
    ) -> None:
        self._tones = tones
        self._journal = journal
        self._leg = leg
        self._other = other
        self._told = told
        self._music: Playing | None = None

    def begin(self) -> None:
        media = self._leg.media
        media.hold_listener = self
        if media.is_held:
            self.hold_changed(held=True)

    def end(self) -> None:
        self._leg.media.hold_listener = None
        self._stop_music()

    def hold_changed(self, *, held: bool) -> None:
        """Take note of a hold of this side, or of its end."""
        record = self._leg.record
        self._journal.note(
            "call.held" if held else "call.resumed",
            {"role": record.role, "leg": record.position},
        )
        self._stop_music()
        if held:
            self._music = self._other.media.port.play(self._tones.hold(), loop=True)
        if self._told is not None:
            self._told()

    def _stop_music(self) -> None:
        music, self._music = self._music, None
        if music is not None:
            # The bridge goes on in the same turn.
            music.stop()
