"""What the call script needs of signalling and media, so that either can be in memory."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from twoleg.calls.limits import Limits
from twoleg.calls.outcomes import Refusal
from twoleg.calls.phrases import Phrase
from twoleg.calls.plan import AgentRound
from twoleg.calls.trunk_health import TrunkHealth
from twoleg.media import (
    AudioTrack,
    Codec,
    KeyAgreement,
    OwnEnd,
    PortListener,
    Quality,
    RemoteStream,
)
from twoleg.sip import (
    Destination,
    HeaderFields,
    Invitation,
    InviteIdentity,
    NameAddr,
    Progress,
    Reason,
    SipUri,
)
from twoleg.sip_io import Answer, LegEnd, Session
from twoleg.speech import Variable


class Leg(Protocol):
    """A far end that is rung; `twoleg.sip_io.Leg` is one, and says what each does."""

    @property
    def invite(self) -> InviteIdentity | None: ...

    def when_progress(self, tell: Callable[[Progress], None]) -> None: ...

    async def answered(self) -> Answer: ...

    def acknowledge(self) -> None: ...

    async def ended(self) -> LegEnd: ...

    def when_ended(self, tell: Callable[[LegEnd], None] | None) -> None: ...

    def hang_up(self, reason: Reason | None = None) -> None: ...

    def send_info(self, content_type: str, body: bytes) -> None: ...

    def send_request(
        self, method: str, headers: HeaderFields, body: bytes = b"", content_type: str = ""
    ) -> None: ...


class Phone(Protocol):
    """Rings far ends; `twoleg.sip_io.Phone` is one."""

    async def place(self, invitation: Invitation, session: Session) -> Leg: ...

    def identify(
        self,
        target: SipUri,
        from_: NameAddr,
        to: NameAddr,
        destinations: tuple[Destination, ...] = (),
        routes: tuple[NameAddr, ...] = (),
    ) -> InviteIdentity | None: ...


class Playable(Protocol):
    """Audio in frames of 20 ms; `twoleg.media.Audio` is one."""

    def frames(self, codec: Codec) -> Sequence[bytes]: ...


class Playing(Protocol):
    """Audio on its way to a port; `twoleg.media.Playback` is one."""

    async def finished(self) -> bool:
        """Wait until it is over; False: it was cut off, or something else took its place."""
        ...

    def stop(self) -> None: ...


class MediaPort(Protocol):
    """One leg's end in the media plane.

    `twoleg.media.MediaPort` is one, `twoleg.media.rtpengine.RtpenginePort` the other.
    """

    @property
    def address(self) -> str: ...

    @property
    def port(self) -> int: ...

    listener: PortListener | None

    def own_end(self, agreement: KeyAgreement) -> OwnEnd: ...

    def connect(self, remote: RemoteStream) -> None: ...

    def play(self, audio: Playable, *, loop: bool = False) -> Playing: ...

    def stop_playing(self) -> None: ...

    def listening(self) -> AbstractContextManager[None]: ...

    async def digit(self) -> str: ...

    def tap(self, sink: Callable[[Codec, bytes], None] | None) -> None: ...

    def inject_digit(self, digit: str) -> None: ...

    def record(self, track: AudioTrack | None) -> None: ...

    async def first_packet(self) -> None: ...

    async def silent(self, seconds: float) -> None: ...

    def quality(self) -> Quality: ...


class Bridge(Protocol):
    """Two ports that are joined."""

    def close(self) -> None: ...


class MediaPlane(Protocol):
    """Where ports come from and are joined.

    `twoleg.media.EmbeddedPlane` is one, `twoleg.media.rtpengine.RtpenginePlane` the other.
    """

    def open_port(
        self, beside: Any = None, agreement: KeyAgreement | None = None
    ) -> AbstractAsyncContextManager[MediaPort]:
        """Open a port for as long as the block lasts; `beside` is the one it may be joined to.

        With an agreement on keys it has SRTP or nothing, never plain RTP.
        """
        ...

    def bridge(self, left: Any, right: Any) -> Bridge:
        """Join two ports of this plane, of which one was opened beside the other."""
        ...


class Tones(Protocol):
    """What an agent hears meanwhile; `twoleg.media.ToneBook` is one."""

    def ringback(self, country: str | None) -> Playable: ...

    def busy(self, country: str | None) -> Playable: ...

    def congestion(self, country: str | None) -> Playable: ...

    def special_information(self) -> Playable: ...

    def attention(self) -> Playable: ...

    def hold(self) -> Playable: ...


class Phrases(Protocol):
    """What the product itself says."""

    def phrase(self, phrase: Phrase, language: str | None) -> Playable:
        """Return a phrase in a language, or in the nearest that there is. Never raises."""
        ...


About = Callable[[str], Mapping[Variable, str | None]]
"""Tells what the variables of a text stand for, in the language that it is given."""


class Prompts(Protocol):
    """What the accounts have recorded, or had spoken."""

    async def audio(self, account_id: int, prompt_id: int, about: About = ...) -> Playable | None:
        """Return a prompt; None: the account has none such, or it cannot be had now.

        Never raises.
        """
        ...


class TrunkFull(Exception):
    """A trunk carries as many calls as it may, or takes no further one this soon."""

    def __init__(self, trunk_id: int) -> None:
        super().__init__(f"trunk {trunk_id}")
        self.trunk_id = trunk_id


class TrunkPlaces(Protocol):
    """Counts calls on limited trunks; `twoleg.calls.trunk_places.TrunkPlaces` is one."""

    def place(self, trunk_id: int, call_id: int) -> AbstractAsyncContextManager[None]:
        """Have a place on the trunk for as long as the block lasts. Raises TrunkFull."""
        ...


class NotChecked(Exception):
    """The database did not say in time whether a call may still be dialled."""


class DialCheck(Protocol):
    """Looks again at a call that has waited; `twoleg.calls.dial_check.StoredDialCheck` is one."""

    async def objection(self, agent_user_id: int | None) -> str | None:
        """Say which rule stands against dialling the contact now; None: none does.

        `agent_user_id` is who is on the line. Raises NotChecked.
        """
        ...


class TransferTarget(Protocol):
    """Those to whom a call is handed over, one round after another."""

    @property
    def nobody(self) -> Refusal:
        """Why nobody was rung, where nobody could be."""
        ...

    async def following(self) -> AgentRound | None:
        """Wait for those that are rung next; None: nobody is left to ring."""
        ...

    def release(self, user_id: int) -> None:
        """Let other calls ring a user that did not take this one. Returns at once."""
        ...

    def give_up(self) -> None:
        """Let other calls ring all that were rung. Returns at once."""
        ...


class Transfers(Protocol):
    """Finds whom a phone names; `twoleg.calls.transfer_targets.TransferTargets` does."""

    async def find(self, wanted: str, agent_user_id: int | None) -> TransferTarget | None:
        """Find a user, a ring group or a number; None: there is none such. Never raises.

        Whoever has `agent_user_id` hands over, and is not rung.
        """
        ...


class RecordingObserver(Protocol):
    """Who records a call is told what becomes of it."""

    def recording_stopped(self, why: str) -> None: ...

    def recording_paused(self, *, paused: bool) -> None: ...


class Recordings(Protocol):
    """Where calls are recorded; `twoleg.calls.recordings.RecordingDesk` is one."""

    def begin(
        self,
        call_id: int,
        account_id: int,
        agent: MediaPort | None,
        contact: MediaPort,
        observer: RecordingObserver,
    ) -> None:
        """Record a call from now on, the agent on the left."""
        ...

    def use_agent(self, call_id: int, agent: MediaPort | None) -> None:
        """Have another agent on the left from now on; None: nobody."""
        ...

    def end(self, call_id: int) -> None:
        """End a call's recording. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Equipment:
    """What an engine places its calls with."""

    phone: Phone
    plane: MediaPlane
    tones: Tones
    phrases: Phrases
    prompts: Prompts | None = None
    """None: no account has any."""

    trunks: TrunkPlaces | None = None
    """None: no trunk has limits."""

    recordings: Recordings | None = None
    """None: nothing is recorded."""

    health: TrunkHealth = field(default_factory=TrunkHealth)
    """Told of what becomes of calls over trunks."""

    limits: Limits = field(default_factory=Limits)
    """How long each step of a call may take."""
