"""A prompt's audio as it is stored and sent: frames of 20 ms in every codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, overload

from twoleg.media import Codec

FRAMES_PER_SECOND: Final = 50


class UnplayableSound(Exception):
    """What is stored is no audio in each codec: `reason` says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PromptSound:
    """Audio in whole frames; the last one is filled up with silence. Make it by `of`.

    `seconds` is how long the frames last.
    """

    payloads: Mapping[Codec, bytes]

    @classmethod
    def of(cls, payloads: Mapping[str, bytes]) -> PromptSound:
        """Check what each codec, by its name, has. Raises UnplayableSound."""
        checked = {}
        for codec in Codec:
            payload = payloads.get(codec.name)
            if not payload:
                raise UnplayableSound(f"nothing in {codec.name}")
            if len(payload) % codec.frame_bytes:
                raise UnplayableSound(f"half a frame in {codec.name}")
            checked[codec] = payload
        if len({len(payload) for payload in checked.values()}) > 1:
            raise UnplayableSound("the codecs differ in length")
        return cls(checked)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.frames(Codec.PCMU)) / FRAMES_PER_SECOND

    @property
    def size(self) -> int:
        """Bytes of all codecs together."""
        return sum(map(len, self.payloads.values()))

    def frames(self, codec: Codec) -> Sequence[bytes]:
        """Return its frames of 20 ms, cut when each is sent."""
        return _Frames(self.payloads[codec], codec.frame_bytes)


class _Frames(Sequence[bytes]):
    __slots__ = ("_payload", "_size")

    def __init__(self, payload: bytes, size: int) -> None:
        self._payload = payload
        self._size = size

    def __len__(self) -> int:
        return len(self._payload) // self._size

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._payload[index * self._size : (index + 1) * self._size]
