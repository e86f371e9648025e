"""What the call script needs of signalling and media, so that either can be in memory."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from twoleg.media import Codec, Quality, RemoteStream
from twoleg.sip import DialogIdentity, Progress, Reason
from twoleg.sip_io import Answer, Info, LegEnd, RingRequest


class Leg(Protocol):
    """A far end that is rung; `twoleg.sip_io.Leg` is one, and says what each does."""

    @property
    def identity(self) -> DialogIdentity | None: ...

    async def progress(self) -> Progress | None: ...

    async def answered(self) -> Answer: ...

    def acknowledge(self) -> None: ...

    async def ended(self) -> LegEnd: ...

    async def info(self) -> Info: ...

    def hang_up(self, reason: Reason | None = None) -> None: ...


class Phone(Protocol):
    """Rings far ends; `twoleg.sip_io.Phone` is one."""

    def ring(self, request: RingRequest) -> AbstractAsyncContextManager[Leg]: ...


class Playable(Protocol):
    """Audio in frames of 20 ms; `twoleg.media.Audio` is one."""

    def frames(self, codec: Codec) -> Sequence[bytes]: ...


class Playback(Protocol):
    """Audio that is being played to a port."""

    async def finished(self) -> None: ...

    def stop(self) -> None: ...


class MediaPort(Protocol):
    """One leg's end in the media plane; `twoleg.media.MediaPort` is one."""

    @property
    def address(self) -> str: ...

    @property
    def port(self) -> int: ...

    def connect(self, remote: RemoteStream) -> None: ...

    def play(self, audio: Playable, *, loop: bool = False) -> Playback: ...

    async def digit(self) -> str: ...

    def inject_digit(self, digit: str) -> None: ...

    async def first_packet(self) -> None: ...

    async def silent(self, seconds: float) -> None: ...

    def quality(self) -> Quality: ...


class Bridge(Protocol):
    """Two ports that are joined."""

    def close(self) -> None: ...


Port = TypeVar("Port", bound=MediaPort)


class MediaPlane(Protocol[Port]):
    """Where ports come from and are joined; `twoleg.media.EmbeddedPlane` is one."""

    def open_port(self) -> AbstractAsyncContextManager[Port]: ...

    def bridge(self, left: Port, right: Port) -> Bridge: ...
