"""One leg's session: what offer and answer say, done at its media port."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final, Protocol

from twoleg.calls.agreed_stream import FORMATS, SUITES, remote_stream
from twoleg.calls.ports import MediaPort
from twoleg.media import Codec, KeyAgreement, OwnEnd
from twoleg.sip import (
    TELEPHONE_EVENT,
    AgreedAudio,
    AudioFormat,
    AudioSession,
    IceCredentials,
    LocalAudio,
    Refer,
    Request,
    SessionRejected,
    refer_of,
)
from twoleg.sip_io import Info, Session

ACCEPTED: Final = 202
BAD_REQUEST: Final = 400
DECLINED: Final = 603

_CRYPTO_SUITES: Final = {ours: suite for suite, ours in SUITES.items()}
_OFFERED_SUITES: Final = tuple(SUITES)
_DTMF_RELAY: Final = "application/dtmf-relay"
_DTMF: Final = "application/dtmf"
_SESSION_ID_BITS: Final = 62

_REMEMBERED: Final = 256
"""Choices of codecs that need not be made again."""


class HoldListener(Protocol):
    """Hears when the far end puts us on hold, and when it resumes."""

    def hold_changed(self, media: "LegMedia", *, held: bool) -> None: ...


class LegMedia(Session):
    """Keeps a leg's media port as offer and answer agree, from the first offer to the last.

    Whatever else the far end asks for within the call comes here too.

    The audio is plain RTP, or SRTP with an `agreement` on its keys, for which the port was opened.
    """

    __slots__ = ("_session", "codec", "hold_listener", "is_held", "on_refer", "port")

    def __init__(
        self,
        port: MediaPort,
        codecs: tuple[Codec, ...],
        agreement: KeyAgreement | None = None,
    ) -> None:
        self.port = port
        self.codec: Codec | None = None
        """What the leg speaks; None before the first answer."""

        self.is_held = False
        """Whether the far end has us on hold: it wants to hear nothing (RFC 3264 8.4)."""

        self.hold_listener: HoldListener | None = None
        self.on_refer: Callable[[Refer], bool] | None = None
        """Told of a wish to hand the call over, and says whether that is done; None: it is not."""

        local = LocalAudio(port.address, port.port, _formats(codecs))
        if agreement is not None:
            local = _protected(local, agreement, port.own_end(agreement))
        self._session = AudioSession(local, random.getrandbits(_SESSION_ID_BITS))

    def make_offer(self) -> bytes:
        """Offer what the port can. Raises LocalProtocolError while an offer is unanswered."""
        return self._session.create_offer()

    def accept_answer(self, answer: bytes) -> None:
        """Go on as the far end answered our offer. Raises SessionRejected.

        An answer without a body repeats the early one (RFC 3261 13.2.1).
        """
        if not answer and self._session.agreed is not None:
            return
        self._connect(self._session.accept_answer(answer))

    def accept_early_answer(self, body: bytes) -> bool:
        """Take the answer of a provisional response; one that is of no use changes nothing."""
        try:
            self.accept_answer(body)
        except SessionRejected:
            # The offer stands until the final response.
            if self._session.agreed is None:
                self._session.create_offer()
            return False
        return True

    def answer_offer(self, offer: bytes) -> bytes:
        """Answer the far end's hold, resume or change of codec. Raises SessionRejected."""
        answer, agreed = self._session.answer_offer(offer)
        self._connect(agreed)
        return answer

    def _connect(self, agreed: AgreedAudio) -> None:
        stream = remote_stream(agreed)
        self.port.connect(stream)
        self.codec = stream.codec
        was_held, self.is_held = self.is_held, not stream.sending
        if agreed.keys is not None and self._session.local.keys:
            # Whoever has made the keys keeps that of this suite alone.
            self._session.local = replace(self._session.local, suites=(agreed.keys.suite,))
        if self.hold_listener is not None and self.is_held != was_held:
            self.hold_listener.hold_changed(self, held=self.is_held)

    def take_info(self, info: Info) -> None:
        """Give the port the digit of an INFO, if it is one."""
        digit = digit_of(info.content_type, info.body)
        if digit is not None:
            self.port.inject_digit(digit)

    def take_request(self, request: Request) -> int:
        """Take a REFER of the far end's, and give the status that answers it (RFC 3515 2.4.2)."""
        refer = refer_of(request)
        if refer is None:
            return BAD_REQUEST
        taken = self.on_refer is not None and self.on_refer(refer)
        return ACCEPTED if taken else DECLINED


@lru_cache(_REMEMBERED)
def _formats(codecs: tuple[Codec, ...]) -> tuple[AudioFormat, ...]:
    return (*(FORMATS[codec] for codec in codecs), TELEPHONE_EVENT)


def _protected(local: LocalAudio, agreement: KeyAgreement, own: OwnEnd) -> LocalAudio:
    if agreement is KeyAgreement.SDES:
        keys = tuple([(_CRYPTO_SUITES[suite], key) for suite, key in own.keys])
        return replace(local, suites=_OFFERED_SUITES, keys=keys)
    ice = None if own.ice is None else IceCredentials(*own.ice)
    return replace(local, fingerprint=own.fingerprint, ice=ice)


def digit_of(content_type: str, body: bytes) -> str | None:
    """Read the digit of an INFO as phones send it: "Signal=5" in dtmf-relay, or "5" alone."""
    media_type = content_type.partition(";")[0].strip().lower()
    text = body.decode("ascii", "replace")
    if media_type == _DTMF:
        return text.strip() or None
    if media_type != _DTMF_RELAY:
        return None
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip().lower() == "signal":
            return value.strip() or None
    return None


def info_of(digit: str) -> tuple[str, bytes]:
    """Write a digit as the content type and body of an INFO."""
    return _DTMF_RELAY, f"Signal={digit}\r\nDuration=160\r\n".encode()


def joins(left: Codec, right: Codec) -> bool:
    """Tell whether the media plane can join legs of these codecs."""
    return left is right or Codec.G722 not in (left, right)


@lru_cache(_REMEMBERED)
def agent_codecs(wanted: tuple[Codec, ...], contact: frozenset[Codec]) -> tuple[Codec, ...]:
    """Choose what an agent is offered, so that whatever the contact then takes can be joined."""
    fit = tuple(codec for codec in wanted if all(joins(codec, other) for other in contact))
    return fit or (Codec.PCMU, Codec.PCMA)


@lru_cache(_REMEMBERED)
def contact_codecs(agent: Codec, wanted: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Choose what the contact is offered: first what the agent speaks, then what joins with it."""
    others = tuple(codec for codec in wanted if codec is not agent and joins(codec, agent))
    return (agent, *others) if agent in wanted else others or (agent,)
