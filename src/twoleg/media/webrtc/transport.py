"""What stands between the socket of a browser's leg and its RTP: ICE, DTLS and SRTP on one port."""

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from twoleg.media.due_times import NEVER
from twoleg.media.latch import SocketAddress
from twoleg.media.srtp import Srtp
from twoleg.media.webrtc.allowance import Allowance
from twoleg.media.webrtc.dtls import Certificate, DtlsAssociation, DtlsFailed
from twoleg.media.webrtc.ice import IceLite
from twoleg.media.webrtc.stun import is_stun
from twoleg.media.webrtc.terms import (
    NOT_FOUND,
    NOT_SECURED,
    SECURE_WITHIN_SECONDS,
    WebRtcTerms,
)

CLOSED_SECONDS: Final = 2.0
"""A browser that hangs up closes DTLS too, and its BYE may take a little longer."""

CHECKED_SECONDS: Final = 30.0
"""A browser asks every few seconds whether we are still there; one that does not is gone itself.

It is how long it goes on by itself without an answer (RFC 7675 section 5.1).
"""

DATAGRAMS_PER_SECOND: Final = 50.0
DATAGRAMS_AT_ONCE: Final = 100.0
"""A handshake has ten or so of DTLS; more of them cost nothing but what it takes to drop them."""

_DTLS_FIRST_BYTES: Final = range(20, 64)  # RFC 7983 section 7
_MEDIA_FIRST_BYTES: Final = range(128, 192)


def _ignore(*told: object) -> None:
    """Take no notice."""
    del told


class WebRtcTransport:
    """Lets a leg have RTP with the one browser that its session description speaks of.

    Audio flows once three things are proved: that the browser is where it sends from (a check with
    the password of our description), that it wants to be there (a nomination), and that it is who
    its description says (the fingerprint of its certificate). It may move then: the first packet of
    its SRTP from another place with a right check moves the leg. Browsers send on a new pair up to
    a second before they nominate it.

    `send` sends a datagram from the leg's RTP socket to an address. `on_changed` is called when
    `pair` or `due` is another, `on_failed` with the reason when no audio will flow, or none any
    more; neither may raise.
    """

    def __init__(
        self,
        certificate: Certificate,
        terms: WebRtcTerms,
        send: Callable[[bytes, SocketAddress], int],
        on_changed: Callable[[], None],
        on_failed: Callable[[str], object],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.pair: SocketAddress | None = None
        """Where the browser is, with whom audio may flow; None: not yet, or nobody any more."""

        self.rejected_datagrams = 0
        self._certificate = certificate
        self._sendto = send
        self._on_changed = on_changed
        self._on_failed: Callable[[str], object] = on_failed
        self._clock = clock
        self._terms = terms
        self._ice = IceLite(terms)
        self._srtp: Srtp | None = None
        self._allowance = Allowance(DATAGRAMS_PER_SECOND, DATAGRAMS_AT_ONCE)
        self._failed = False
        self._checked_at = clock()
        self._begin()

    @property
    def rejected(self) -> int:
        """Packets that were not the browser's, or came before."""
        return self.rejected_datagrams + (self._srtp.rejected if self._srtp else 0)

    @property
    def due(self) -> float:
        """When `attend` is to be called."""
        if self._failed:
            return NEVER
        if self._closes_at is not None:
            return self._closes_at
        if self.pair is not None:
            return self._checked_at + CHECKED_SECONDS
        # The handshake's timer is OpenSSL's: it is looked at each time.
        return self._clock()

    def use(self, terms: WebRtcTerms) -> None:
        """Go on as was agreed anew: with the same association, unless the certificate is another.

        An ICE restart moves the pair and not the keys (RFC 8842 section 5.5).
        """
        before, self._terms = self._terms, terms
        self._ice.use(terms)
        if not set(terms.fingerprints) & set(before.fingerprints):
            self._begin()

    def open(self, buffer: bytearray, size: int, source: SocketAddress) -> int:
        """Take the datagram of `size` bytes in `buffer`, and make it plain if it is the browser's.

        Gives its size then; 0 for whatever is no RTP or RTCP of the browser's. Never raises.
        """
        plain = self._opened(bytes(memoryview(buffer)[:size]), source)
        buffer[: len(plain)] = plain
        return len(plain)

    def opened(self, data: bytes) -> bytes:
        """Take what came to the RTCP port: nothing of a browser's does (RFC 8834 section 4.5)."""
        del data
        self.rejected_datagrams += 1
        return b""

    def sending(self, send: Callable[[bytes], int]) -> Callable[[Any], int]:
        """Give a `send` of plain packets, which sends them protected. Call it while `pair` is."""
        assert self._srtp is not None
        return self._srtp.sending(send)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect a compound packet of ours; empty while there are no keys."""
        return self._srtp.protect_rtcp(packet) if self._srtp is not None else b""

    def attend(self, now: float) -> None:
        """Do what fell due."""
        if self._failed:
            return
        if self._closes_at is not None:
            if now >= self._closes_at:
                self._fail("the browser has closed its audio")
        elif self.pair is not None:
            if now >= self._checked_at + CHECKED_SECONDS:
                self._fail("the browser is gone")
        elif now >= self._secure_by:
            self._fail(self._what_is_missing())
        else:
            self._do(self._dtls.retransmit)

    def close(self) -> None:
        """Say goodbye, and let everything go. Idempotent."""
        self._failed = True
        # What is told keeps the port, and would be kept by it.
        self._on_changed = self._on_failed = _ignore
        with suppress(DtlsFailed):
            self._dtls.close()

    def _begin(self) -> None:
        """Have a new association."""
        self.pair = None
        self._srtp = None
        self._closes_at: float | None = None
        self._heard_from: SocketAddress | None = None
        self._begun = False
        self._secure_by = self._clock() + SECURE_WITHIN_SECONDS
        self._dtls = DtlsAssociation(self._certificate, self._send, is_client=self._terms.is_client)

    def _opened(self, data: bytes, source: SocketAddress) -> bytes:
        if not data:
            return b""
        if data[0] in _MEDIA_FIRST_BYTES:
            return self._opened_media(data, source)
        if is_stun(data):
            self._take_check(data, source)
        elif data[0] in _DTLS_FIRST_BYTES:
            self._take_dtls(data, source)
        else:
            self.rejected_datagrams += 1
        return b""

    def _opened_media(self, data: bytes, source: SocketAddress) -> bytes:
        is_there = source == self.pair
        if self._srtp is None or not (is_there or self._ice.is_checked(source)):
            self.rejected_datagrams += 1
            return b""
        plain = self._srtp.opened(data)
        if plain and not is_there:
            self.pair = source
            self._on_changed()
        return plain

    def _take_check(self, data: bytes, source: SocketAddress) -> None:
        now = self._clock()
        reply = self._ice.receive(data, source, now)
        if reply is None:
            self.rejected_datagrams += 1
            return
        self._checked_at = now
        self._reply(reply, source)
        if self.pair is None and self._ice.nominated is not None and not self._failed:
            if self._terms.is_client and not self._begun:
                self._begun = True
                self._do(self._dtls.begin)
            self._look()

    def _take_dtls(self, data: bytes, source: SocketAddress) -> None:
        if (
            self._failed
            or not self._ice.is_checked(source)
            or not self._allowance.take(self._clock())
        ):
            self.rejected_datagrams += 1
            return
        self._heard_from = source
        self._do(lambda: self._dtls.receive(data))
        self._look()

    def _look(self) -> None:
        """Let audio flow if all is proved."""
        place = self._ice.nominated
        if self.pair is not None or place is None or not self._dtls.is_established or self._failed:
            return
        self._do(self._secure)
        if self._srtp is not None:
            self.pair = place
            self._on_changed()

    def _secure(self) -> None:
        self._dtls.check(self._terms.fingerprints)
        self._srtp = Srtp(self._dtls.keys())

    def _do(self, step: Callable[[], None]) -> None:
        """Go a step on in the association; what goes wrong ends it."""
        try:
            step()
        except DtlsFailed as failed:
            if self.pair is None:
                self._fail(str(failed))
            elif self._closes_at is None:
                self._closes_at = self._clock() + CLOSED_SECONDS
                self._on_changed()

    def _fail(self, why: str) -> None:
        self._failed = True
        self.pair = self._srtp = None
        self._on_failed(why)

    def _what_is_missing(self) -> str:
        if self._ice.nominated is None:
            return NOT_FOUND
        return NOT_SECURED

    def _send(self, datagram: bytes) -> None:
        destination = self.pair or self._heard_from or self._ice.nominated
        if destination is not None:
            self._reply(datagram, destination)

    def _reply(self, data: bytes, destination: SocketAddress) -> None:
        with suppress(OSError):  # lost, as on any wire
            self._sendto(data, destination)
