"""A call of rtpengine's: the legs of ours that may be joined, and what the node is told of them.

Each leg is one participant, with a tag and local ports of its own, which it keeps whoever it is
joined to. A participant is made by `publish`, before its far end is known; it is told the far end,
and joined to another, by `offer` and `answer`; and it is joined to nobody by an offer to a
participant that is nobody.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from twoleg.media.remote import RemoteStream
from twoleg.media.rtpengine.bencode import Decoded, Encodable
from twoleg.media.rtpengine.descriptions import (
    UnusableDescription,
    far_end,
    nobody,
    place_of,
)
from twoleg.media.rtpengine.ng import NodeRefused, NodeSilent
from twoleg.media.rtpengine.nodes import Node
from twoleg.media.rtpengine.statistics import local_place

NOBODY: Final = "nobody"

MAX_BEHIND: Final = 100
"""Digits are dropped while a node has so much to do for one call."""

ENCODING_SECONDS: Final = 0.1
"""How long it takes at the most until a node has encoded something: it injects nothing before."""

_FLAGS: Final = (
    "trust-address",
    # The local ports are in the far ends' hands already.
    "port-latching",
    # Once it is known where a far end sends from, nobody else can.
    "strict-source",
)
_REPLACE: Final = ("origin", "session-connection")
_TRANSCODE: Final = "always-transcode"
_INJECT: Final = "inject-DTMF"
_ENCODE: Final[Mapping[str, Encodable]] = {
    "flags": ("detect-DTMF",),
    # It is only with a length of its own, even none, that the flag is heeded.
    "delay_buffer": 0,
}
"""Has a node decode and encode what a participant says, since it is to look for tones in it.

Into what it passes on as it comes, nodes from 12.4 on inject digits only while the top bit of the
RTP timestamps is 0.
"""

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class SessionLost(ConnectionError):
    """The node knows nothing of the call any more: it was restarted."""

    def __init__(self, node: str) -> None:
        super().__init__(f"the rtpengine node {node} has forgotten the call")
        self.node = node


class Participant(Protocol):
    """A leg as the session sees it: what is to be, which the node is brought to."""

    @property
    def tag(self) -> str: ...

    @property
    def stream(self) -> RemoteStream | None:
        """The far end, or the gateway that stands before it; None: not known yet."""
        ...

    @property
    def partner(self) -> "Participant | None":
        """Who it is joined to."""
        ...

    @property
    def hears_partner(self) -> bool:
        """Whether it is to hear whom it is joined to."""
        ...


@dataclass(slots=True)
class _Known:
    """What the node knows of a participant."""

    place: tuple[str, int]
    joined_as: object = None
    """To whom, and all that was said with it; None: its far end is not known either."""

    silenced: bool = False
    injects: bool = False
    """Whether digits can be put into what it says."""


@dataclass(slots=True, eq=False)
class Session:
    """Does one thing after another, in the order in which it was asked to."""

    node: Node
    family: str
    call_id: str = field(default_factory=lambda: f"twoleg-{secrets.token_hex(12)}")
    lost: bool = field(default=False, init=False)
    """Whether the node was restarted, and nothing more is to be had from it."""

    _known: dict[str, _Known] = field(default_factory=dict, init=False)
    _nobody_at: tuple[str, int] | None = field(default=None, init=False)
    _made_at: object = field(default=None, init=False)
    """When the node made the call, by its own clock."""

    _beside_nobody: set[str] = field(default_factory=set, init=False)
    """Whose removal does not take nobody away: rtpengine drops who has had no other partner."""

    _jobs: deque[Callable[[], Awaitable[None]] | None] = field(default_factory=deque, init=False)
    _more: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def work(self) -> None:
        """Do what is asked for, until all is done after `close`."""
        while True:
            await self._more.wait()
            while self._jobs:
                job = self._jobs.popleft()
                if job is None:
                    return
                try:
                    await job()
                except (NodeSilent, SessionLost) as error:
                    # The node's silence was told when it began.
                    _log.debug("not done", extra={"call": self.call_id, "error": str(error)})
                except ConnectionError as error:
                    _log.warning(
                        "an rtpengine node did not do as it was told",
                        extra={"call": self.call_id, "node": self.node.name, "error": str(error)},
                    )
            self._more.clear()

    def post(self, job: Callable[[], Awaitable[None]]) -> None:
        """Have something done in its turn. Returns at once."""
        self._jobs.append(job)
        self._more.set()

    async def ask(self, job: Callable[[], Awaitable[Result]]) -> Result:
        """Have something done in its turn, and give what it gives. Raises what it raises."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def answer() -> None:
            if done.cancelled():
                return
            try:
                result = await job()
            except Exception as error:  # noqa: BLE001  # whoever asked hears of it
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)

        self.post(answer)
        return await done

    @property
    def is_behind(self) -> bool:
        """Whether the node does not keep up with what it is asked to do."""
        return len(self._jobs) >= MAX_BEHIND

    def close(self) -> None:
        """Have the node forget the call, after all that was asked for before. Returns at once."""
        self.post(self._delete_all)
        self._jobs.append(None)

    async def request(self, command: str, **arguments: Encodable) -> dict[str, Decoded]:
        """Ask the node something of this call; for jobs.

        Raises NodeSilent, NodeRefused, SessionLost.
        """
        if self.lost:
            raise SessionLost(self.node.name)
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        try:
            return await self.node.request(command, {"call-id": self.call_id, **named})
        except NodeRefused as refused:
            # Some commands have it in capitals.
            if refused.reason.lower() == "unknown call-id":
                self._lose()
                raise SessionLost(self.node.name) from None
            raise

    async def open(self, tag: str) -> tuple[str, int]:
        """Make a participant, and give where it receives; a job.

        Raises NodeSilent, NodeRefused, SessionLost, UnusableDescription.
        """
        if self._nobody_at is None:
            self._nobody_at = await self._publish(NOBODY)
        if self._known:
            # A node that was restarted would make the call anew.
            await self.figures()
        self._known[tag] = _Known(await self._publish(tag))
        return self._known[tag].place

    async def figures(self) -> dict[str, Decoded]:
        """Ask for all that the node tells of the call. Raises as `request`."""
        reply = await self.request("query")
        made_at = (reply.get("created"), reply.get("created_us"))
        if self._made_at is None:
            self._made_at = made_at
        elif self._made_at != made_at:
            await self._forget()
        return reply

    async def place_within(self, tag: str) -> tuple[str, int]:
        """Give where a participant receives from within its node; a job.

        Raises as `request`, and UnusableDescription.
        """
        place = local_place(await self.figures(), tag)
        if place is None:
            raise UnusableDescription("an rtpengine node does not say where it receives")
        return place

    async def settle(self, leg: Participant) -> None:
        """Bring the node to what is to be of a leg, and of whom it is joined to; a job."""
        if leg.tag not in self._known or leg.stream is None:
            return
        await self._tell_far_end(leg, leg.stream)
        partner = leg.partner
        if partner is None or partner.tag not in self._known or partner.stream is None:
            await self._join_nobody(leg, leg.stream)
        else:
            await self._tell_far_end(partner, partner.stream)
            await self._join(leg, leg.stream, partner, partner.stream)
            await self._silence(partner, silent=not leg.hears_partner)
            await self._silence(leg, silent=not partner.hears_partner)

    async def remove(self, tag: str) -> None:
        """Have the node forget one participant; a job."""
        if self._known.pop(tag, None) is None:
            return
        if tag in self._beside_nobody:
            if len(self._beside_nobody) == 1 and self._known:
                # It goes with the call: with the last who knew it, nobody would go as well.
                return
            self._beside_nobody.discard(tag)
        await self.request("delete", from_tag=tag, delete_delay=0)

    async def play(self, tag: str, wav: bytes, times: int) -> None:
        """Have a participant hear a WAV file from now on, instead of what it was played; a job."""
        await self.request("play media", from_tag=tag, blob=wav, repeat_times=times)

    async def stop_playing(self, tag: str) -> None:
        """End what a participant is played; a job."""
        await self.request("stop media", from_tag=tag)

    async def listen(self, tag: str, listener: str) -> tuple[str, int]:
        """Ask for a copy of what a participant says, and give where it will come from; a job."""
        reply = await self.request("subscribe request", from_tags=(tag,), to_tag=listener)
        return place_of(reply.get("sdp"))

    async def listen_at(self, listener: str, description: str) -> None:
        """Say where the copy goes, which begins it; a job."""
        await self.request(
            "subscribe answer", to_tag=listener, sdp=description, flags=("allow-transcoding",)
        )

    async def stop_listening(self, listener: str) -> None:
        """End a copy; a job."""
        await self.request("unsubscribe", to_tag=listener)

    async def say_digit(self, leg: Participant, digit: str) -> None:
        """Have a leg's partner hear a digit as if the leg's far end had sent it; a job."""
        known = self._known.get(leg.tag)
        if known is None or leg.partner is None:
            return
        if not known.injects:
            known.injects = True
            await self.request("unblock DTMF", from_tag=leg.tag, **_ENCODE)
            await self.settle(leg)
            await asyncio.sleep(ENCODING_SECONDS)
        await self.request("play DTMF", from_tag=leg.tag, code=digit)

    async def _tell_far_end(self, leg: Participant, remote: RemoteStream) -> None:
        # First to nobody, even if it is joined at once: rtpengine 10.5 ends itself if it is to
        # join two of whom it does not know one, and nobody is who is always known.
        if self._known[leg.tag].joined_as is None:
            await self._join_nobody(leg, remote)

    async def _join_nobody(self, leg: Participant, remote: RemoteStream) -> None:
        known = self._known[leg.tag]
        wanted = (NOBODY, remote)
        if known.joined_as == wanted:
            return
        reply = await self._describe("offer", leg.tag, NOBODY, remote)
        if place_of(reply.get("sdp")) != self._nobody_at:
            await self._forget()
        self._beside_nobody.add(leg.tag)
        known.joined_as = wanted
        await self._silence(leg, silent=False)

    async def _join(
        self,
        left: Participant,
        left_remote: RemoteStream,
        right: Participant,
        right_remote: RemoteStream,
    ) -> None:
        known, other = self._known[left.tag], self._known[right.tag]
        flags = _joint_flags(left_remote, right_remote, inject=known.injects or other.injects)
        wanted = frozenset(((left.tag, left_remote), (right.tag, right_remote), flags))
        if known.joined_as == wanted and other.joined_as == wanted:
            return
        codec = {"transcode": (right_remote.codec.encoding,)}
        await self._describe("offer", left.tag, right.tag, left_remote, flags, codec=codec)
        reply = await self._describe("answer", left.tag, right.tag, right_remote, flags)
        if place_of(reply.get("sdp")) != known.place:
            await self._forget()
        known.joined_as = other.joined_as = wanted

    async def _silence(self, leg: Participant, *, silent: bool) -> None:
        """Let nobody hear a leg, or let it be heard."""
        known = self._known[leg.tag]
        if known.silenced != silent:
            await self.request("block media" if silent else "unblock media", from_tag=leg.tag)
            known.silenced = silent

    async def _publish(self, tag: str) -> tuple[str, int]:
        sdp = nobody(self.family, is_expected=tag != NOBODY)
        reply = await self.request("publish", from_tag=tag, sdp=sdp, flags=_FLAGS)
        return place_of(reply.get("sdp"))

    async def _describe(
        self,
        command: str,
        from_tag: str,
        to_tag: str,
        remote: RemoteStream,
        flags: tuple[str, ...] = (),
        **more: Encodable,
    ) -> dict[str, Decoded]:
        return await self.request(
            command,
            from_tag=from_tag,
            to_tag=to_tag,
            sdp=far_end(remote),
            flags=_FLAGS + flags,
            replace=_REPLACE,
            **more,
        )

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            _log.warning(
                "an rtpengine node has forgotten a call",
                extra={"call": self.call_id, "node": self.node.name},
            )

    async def _forget(self) -> None:
        """Take back what a restarted node has made of a call that it did not know.

        Raises SessionLost.
        """
        self._lose()
        with suppress(NodeSilent, NodeRefused):
            await self.node.request("delete", {"call-id": self.call_id, "delete-delay": 0})
        raise SessionLost(self.node.name)

    async def _delete_all(self) -> None:
        if self._nobody_at is not None:
            await self.request("delete", delete_delay=0)


def _joint_flags(left: RemoteStream, right: RemoteStream, *, inject: bool) -> tuple[str, ...]:
    if inject:
        # Together with the other, rtpengine 10.5 injects nothing.
        return (_INJECT,)
    if (left.dtmf_payload_type is None) != (right.dtmf_payload_type is None):
        # Digits become tones for who takes no telephone-events.
        return (_TRANSCODE,)
    return ()
