"""Audio that is played one behind the other, as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from twoleg.calls.ports import Playable
from twoleg.media import Codec


@dataclass(frozen=True, slots=True)
class InTurn:
    """One audio, and another behind it."""

    first: Playable
    second: Playable

    def frames(self, codec: Codec) -> Sequence[bytes]:
        """Return the frames of both; neither is copied, or encoded before it is played."""
        return Followed(self.first.frames(codec), self.second.frames(codec))


class Followed(Sequence[bytes]):
    """One sequence of frames behind another."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: Sequence[bytes], second: Sequence[bytes]) -> None:
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        beyond = index - len(self._first)
        return self._first[index] if beyond < 0 else self._second[beyond]
