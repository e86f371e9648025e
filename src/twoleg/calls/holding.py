"""Hold and resume: whoever is put on hold hears music, and never silence."""

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.call_recording import CallRecording
from twoleg.calls.journal import Journal
from twoleg.calls.leg_media import LegMedia
from twoleg.calls.ports import Playing, Tones


class Holding:
    """Minds the holds of two legs that are joined, for as long as its block lasts.

    A leg may be on hold already. What each side does is told as `call.held` and `call.resumed`, and
    to the call's recording, if there is one.
    """

    __slots__ = ("_agent", "_contact", "_journal", "_music", "_recording", "_tones")

    def __init__(
        self,
        tones: Tones,
        journal: Journal,
        agent: CallLeg,
        contact: CallLeg,
        recording: CallRecording | None = None,
    ) -> None:
        self._tones = tones
        self._journal = journal
        self._agent = agent
        self._contact = contact
        self._recording = recording
        self._music: dict[LegMedia, Playing] = {}
        """What is heard because of each side that holds."""

    def __enter__(self) -> None:
        for media in (self._agent.media, self._contact.media):
            media.hold_listener = self
            if media.is_held:
                self.hold_changed(media, held=True)

    def __exit__(self, *error: object) -> None:
        self._agent.media.hold_listener = self._contact.media.hold_listener = None
        for music in self._music.values():
            music.stop()

    def hold_changed(self, media: LegMedia, *, held: bool) -> None:
        """Take note of a hold of one side, or of its end."""
        leg, other = self._agent, self._contact
        if media is not leg.media:
            leg, other = other, leg
        record = leg.record
        self._journal.note(
            "call.held" if held else "call.resumed",
            {"role": record.role, "leg": record.position},
        )
        music = self._music.pop(media, None)
        if music is not None:
            # The bridge goes on in the same turn.
            music.stop()
        if held:
            self._music[media] = other.media.port.play(self._tones.hold(), loop=True)
        if self._recording is not None:
            self._recording.hold_changed()
