"""The gateway before an encrypted leg: SRTP outside, plain RTP inside, in a node's call of its own.

What is behind it is a leg like others. Joining two legs is an offer of one to the other, and
rtpengine copies the keys of SRTP from one to the other then, which the far end would have to be
told; and a browser might have audio before its certificate was compared.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from twoleg.media.own_end import KeyAgreement, OwnEnd
from twoleg.media.remote import RemoteStream
from twoleg.media.rtpengine.descriptions import ALL_FORMATS, described, place_of
from twoleg.media.rtpengine.ng import NodeRefused
from twoleg.media.rtpengine.protected import ASKED_FOR, PROTOCOLS, OfferedEnd, far_end_answer
from twoleg.media.rtpengine.statistics import Securing, local_place, securing
from twoleg.media.srtp import SrtpSuite
from twoleg.media.webrtc.terms import NOT_FOUND, NOT_PROVED, NOT_SECURED, SECURE_WITHIN_SECONDS

if TYPE_CHECKING:
    from twoleg.media.rtpengine.node_call import NodeCall
    from twoleg.media.rtpengine.port import RtpenginePort

INSIDE: Final = "inside"
OUTSIDE: Final = "outside"

LOOK_SECONDS: Final = (0.05, 0.05, 0.1, 0.2)
"""How long to wait between the first looks for a browser, then the last again."""

_INSIDE_FLAGS: Final = ("trust-address", "port-latching", "strict-source")
_OUTSIDE_FLAGS: Final = {
    KeyAgreement.SDES: _INSIDE_FLAGS,
    # ICE says where it is, also once it has moved. Nodes of 11.4 to 13.3 would take any packet for
    # a sign of that, and only then see whether it is the browser's.
    KeyAgreement.DTLS: ("trust-address", "port-latching", "asymmetric"),
}
_REPLACE: Final = ("origin", "session-connection")


class SuiteChanged(ConnectionError):
    """A far end has agreed on another suite than before, whose key the node has dropped."""

    def __init__(self) -> None:
        super().__init__("the far end wants another suite of SRTP than it has agreed on")


class Gateway:
    """Protects the audio of one leg. What it fails at it tells the leg's port."""

    def __init__(self, call: "NodeCall", tag: str, agreement: KeyAgreement) -> None:
        self.own_end = OwnEnd()
        self.opened = asyncio.Event()
        """Whether audio flows through it."""

        self._call = call
        self._session = call.session
        self._tag = tag
        self._agreement = agreement
        self._call_id = f"{call.session.call_id}-{tag}"
        self._tags: dict[SrtpSuite, int] = {}
        self._suite: SrtpSuite | None = None
        self._told: str | None = None
        self._inner: tuple[str, int] | None = None
        self._is_made = False
        self._securing: asyncio.Task[None] | None = None

    async def open(self) -> tuple[str, int]:
        """Make it before the leg whose tag it has, and give where it receives SRTP; a job.

        Raises NodeSilent, NodeRefused, SessionLost, UnusableDescription.
        """
        host, port = await self._session.place_within(self._tag)
        self._is_made = True
        reply = await self._session.request(
            "offer",
            call_id=self._call_id,
            from_tag=INSIDE,
            to_tag=OUTSIDE,
            # Of one that is expected nothing is missed: phones may ring for long.
            sdp=described(host, port, ALL_FORMATS, direction="inactive"),
            flags=_INSIDE_FLAGS,
            replace=_REPLACE,
            transport_protocol=PROTOCOLS[self._agreement],
            **ASKED_FOR[self._agreement],
        )
        offered = OfferedEnd(reply.get("sdp"), self._agreement)
        self.own_end, self._tags = offered.own_end, offered.tags
        return place_of(reply.get("sdp"))

    def inside(self, remote: RemoteStream) -> RemoteStream | None:
        """Describe what the leg has in place of its far end; None: nothing, as yet."""
        if self._inner is None:
            return None
        host, port = self._inner
        return remote._replace(
            host=host, port=port, rtcp=None, rtcp_mux=False, keys=None, webrtc=None
        )

    async def tell(self, remote: RemoteStream, port: "RtpenginePort") -> None:
        """Have the node know what the far end has agreed to; a job.

        Raises NodeSilent, SessionLost.
        """
        try:
            await self._tell(remote, port)
        except (NodeRefused, SuiteChanged) as error:
            port.gateway_failed(str(error))

    def close(self) -> None:
        """Let it go. Returns at once; idempotent."""
        if self._securing is not None:
            self._securing.cancel()
        self._session.post(self._delete)

    async def _tell(self, remote: RemoteStream, port: "RtpenginePort") -> None:
        if remote.keys is not None:
            if self._suite not in (None, remote.keys.suite):
                raise SuiteChanged
            self._suite = remote.keys.suite
        answer = far_end_answer(remote, self._tags, self._session.family)
        if answer == self._told:
            return
        await self._session.request(
            "answer",
            call_id=self._call_id,
            from_tag=INSIDE,
            to_tag=OUTSIDE,
            sdp=answer,
            flags=_OUTSIDE_FLAGS[self._agreement],
            replace=_REPLACE,
        )
        self._told = answer
        if self._agreement is KeyAgreement.DTLS:
            if self._securing is not None:
                self._securing.cancel()
            self._securing = self._call.spawn(self._secure(port))
        elif self._inner is None:
            await self._look()
            self.opened.set()

    async def _secure(self, port: "RtpenginePort") -> None:
        """Wait until a browser has proved who it is, and only then let audio flow."""
        looks = iter(LOOK_SECONDS)
        pause = 0.0
        seen: Securing | None = None
        with suppress(ConnectionError):  # a node that is away: the leg ends as a silent one
            try:
                async with asyncio.timeout(SECURE_WITHIN_SECONDS):
                    while not (seen := await self._look()).is_proved:
                        if seen.has_keys:
                            port.gateway_failed(NOT_PROVED)
                            return
                        pause = next(looks, pause)
                        await asyncio.sleep(pause)
            except TimeoutError:
                found = seen is not None and seen.is_found
                port.gateway_failed(NOT_SECURED if found else NOT_FOUND)
                return
            self.opened.set()
            port.gateway_opened()

    async def _look(self) -> Securing:
        """See how far the far end has come, and where the inner side is once it may be used."""
        reply = await self._session.request("query", call_id=self._call_id)
        seen = securing(reply, OUTSIDE)
        if seen.is_proved or self._agreement is KeyAgreement.SDES:
            self._inner = local_place(reply, INSIDE)
        return seen

    async def _delete(self) -> None:
        if self._is_made:
            await self._session.request("delete", call_id=self._call_id, delete_delay=0)
