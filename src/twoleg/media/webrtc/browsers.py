"""What all legs of browsers in one process have in common: the certificate that they are shown."""

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from twoleg.media.latch import SocketAddress
from twoleg.media.webrtc.terms import WebRtcTerms

if TYPE_CHECKING:
    from twoleg.media.webrtc.dtls import Certificate
    from twoleg.media.webrtc.transport import WebRtcTransport


class Browsers:
    """Makes transports; loads OpenSSL when it is first asked, which takes 20 MB and 0.1 s.

    Processes that have nothing to do with browsers are spared that.
    """

    def prepare(self) -> None:
        """Be ready for the first browser."""
        from twoleg.media.webrtc import transport

        del transport
        self._certificate  # noqa: B018  # made here

    @property
    def fingerprint(self) -> str:
        """The a=fingerprint of our side: `sha-256 AB:CD:...`."""
        return f"sha-256 {self._certificate.fingerprint}"

    def transport(
        self,
        terms: WebRtcTerms,
        send: Callable[[bytes, SocketAddress], int],
        on_changed: Callable[[], None],
        on_failed: Callable[[str], object],
    ) -> "WebRtcTransport":
        """Make the transport of one leg, which says what it is given.

        `on_failed` is called from the event loop: whoever has the leg may end it, which is nothing
        to do in the middle of a packet.
        """
        from twoleg.media.webrtc.transport import WebRtcTransport

        soon = asyncio.get_running_loop().call_soon
        return WebRtcTransport(
            self._certificate, terms, send, on_changed, lambda why: soon(on_failed, why)
        )

    @cached_property
    def _certificate(self) -> "Certificate":
        from twoleg.media.webrtc.dtls import Certificate

        return Certificate()
