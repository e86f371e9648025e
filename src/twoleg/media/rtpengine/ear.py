"""An engine's ear at a leg: a copy of what the leg says, which the node sends to a port of ours."""

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from twoleg.media.port import MediaPort
from twoleg.media.ports import NoPortsLeft
from twoleg.media.remote import RemoteStream
from twoleg.media.rtpengine.descriptions import listener
from twoleg.media.waits import PortClosed

if TYPE_CHECKING:
    from twoleg.media.rtpengine.port import RtpenginePort

_SUFFIX: Final = "-ear"

_log = logging.getLogger(__name__)


class Ear:
    """Hears a leg from its making until `close`; what it hears goes to the leg's port."""

    def __init__(self, port: "RtpenginePort", remote: RemoteStream) -> None:
        self.remote = remote
        self._port = port
        self._heard: MediaPort | None = None
        self._inband: ExitStack | None = None
        self._task = port.call.spawn(self._hear())

    def close(self) -> None:
        """Hear no more. Returns at once; idempotent."""
        self._task.cancel()

    def use(self) -> None:
        """Hand on what is heard to whom the port names now."""
        heard, port = self._heard, self._port
        if heard is None:
            return
        heard.tap(port.audio_sink)
        heard.record(port.track)
        if port.is_listening and self._inband is None:
            self._inband = ExitStack()
            self._inband.enter_context(heard.listening())
        elif not port.is_listening and self._inband is not None:
            self._inband.close()
            self._inband = None

    async def _hear(self) -> None:
        port, session, tag = self._port, self._port.session, self._port.tag + _SUFFIX
        try:
            async with port.call.ears.open_port() as heard:
                try:
                    host, from_port = await session.ask(lambda: session.listen(port.tag, tag))
                    heard.connect(
                        RemoteStream(
                            host=host,
                            port=from_port,
                            codec=self.remote.codec,
                            payload_type=self.remote.payload_type,
                            dtmf_payload_type=self.remote.dtmf_payload_type,
                            sending=False,
                        )
                    )
                    self._heard = heard
                    self.use()
                    here = listener(heard.address, heard.port, self.remote)
                    await session.ask(lambda: session.listen_at(tag, here))
                    while True:
                        port.take_digit(await heard.digit())
                finally:
                    self._heard = None
                    session.post(lambda: session.stop_listening(tag))
        except (OSError, NoPortsLeft) as error:
            _log.warning("a leg is not heard", extra={"leg": port.tag, "error": str(error)})
        except PortClosed:
            return
