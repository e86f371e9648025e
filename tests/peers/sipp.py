"""A SIPp that is called, or calls, and says whether all went as its scenario has it."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

from foreign_peers.ports import LOOPBACK, free_port
from sessions import Scripted

from twoleg.sip import (
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    AudioSession,
    Destination,
    Invitation,
    LocalAudio,
    NameAddr,
    SipUri,
    Transport,
    parse_message,
)
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig

SCENARIOS = Path(__file__).with_name("scenarios")
OWN_CONTACT = "[local_ip]:[local_port];transport=[transport]"
USUAL_T1 = 'retrans="500"'
USUAL_T1_SECONDS = 0.5
T2_OF_T1 = 8
RETRANSMISSIONS = 10
"""As often as RFC 3261 has it within 64*T1; of itself SIPp gives up a 2xx after five."""
MODES = {Transport.UDP: "u1", Transport.TCP: "t1"}
RUN_SECONDS = 40

# What is put before and behind a scenario for a far end that is asked whether it is there.
ASKED = '<recv request="OPTIONS" optional="true" next="1"/>'
THERE = """
  <nop next="2"/>
  <label id="1"/>
  <send>
    <![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]-peer
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]>
  </send>
  <label id="2"/>
  <nop/>
</scenario>"""


class Sipp:
    """One SIPp process; it ends by itself once it has had its calls."""

    def __init__(self, port, transport, messages):
        self.transport = transport
        self.port = port
        self._messages = messages

    @classmethod
    @asynccontextmanager
    async def run(
        cls,
        scenario,
        folder,
        *,
        transport=Transport.UDP,
        contact=None,
        calls=1,
        keys=None,
        t1=None,
        options=0,
        calls_port=None,
    ):
        """Play a scenario; leaving waits until it is over, and asserts that it went well.

        `contact` is what SIPp's Contact names, if not itself: HOST:PORT and parameters. `t1` is
        how soon, in seconds, it sends again what is not answered. `options` is how many OPTIONS
        come beside the calls, and are answered. `calls_port` is whom on loopback it calls, where
        the scenario is a caller's.
        """
        port = free_port()
        folder = folder / f"{scenario}-{port}"
        folder.mkdir()
        text = (SCENARIOS / f"{scenario}.xml").read_text()
        file, log, statistics = folder / "scenario.xml", folder / "log", folder / "statistics"
        messages = folder / "messages"
        text = text.replace(OWN_CONTACT, contact or OWN_CONTACT)
        if options:
            text = text.replace("<recv", f"{ASKED}<recv", 1).replace("</scenario>", THERE)
        if t1 is not None:
            text = text.replace(USUAL_T1, f'retrans="{round(1000 * t1)}"')
        file.write_text(text)
        os.mkfifo(statistics)
        t2 = round(1000 * T2_OF_T1 * (t1 or USUAL_T1_SECONDS))
        arguments = [
            "sipp", "-sf", file, "-i", LOOPBACK, "-p", port, "-t", MODES[transport], "-nostdin",
            "-m", calls + options, "-timeout", f"{RUN_SECONDS}s", "-timeout_error",
            "-trace_err", "-error_file", folder / "errors", "-trace_stat", "-stf", statistics,
            "-trace_msg", "-message_file", messages,
            "-max_retrans", RETRANSMISSIONS, "-T2", t2,
        ]  # fmt: skip
        for name, value in (keys or {}).items():
            arguments += ["-key", name, value]
        if calls_port is not None:
            arguments.append(f"{LOOPBACK}:{calls_port}")
        async with lines_of(statistics) as reader:
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *map(str, arguments),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    cwd=folder,
                )
            ending = asyncio.create_task(process.wait())
            # Its sockets are bound by then.
            reporting = asyncio.create_task(reader.readline())
            try:
                await asyncio.wait((ending, reporting), return_when=asyncio.FIRST_COMPLETED)
                assert not ending.done(), log.read_text()
                yield cls(port, transport, messages)
                assert await ending == 0, (folder / "errors").read_text() + log.read_text()
            finally:
                reporting.cancel()
                if process.returncode is None:
                    process.kill()
                await ending

    def received(self, method):
        """Give the first request of that method that came, once SIPp is over."""
        for chunk in self._messages.read_bytes().split(b"message received"):
            start = chunk.find(f"{method} ".encode())
            if b"\n\n" in chunk and 0 <= start < 100:
                return parse_message(chunk[start:].split(b"\n-----")[0])
        raise AssertionError(f"SIPp received no {method}")

    @property
    def uri(self):
        return SipUri("sip", "bob", None, LOOPBACK, self.port)

    @property
    def destination(self):
        return Destination(self.transport, LOOPBACK, self.port)


@asynccontextmanager
async def lines_of(pipe):
    """Read a named pipe that somebody will write to."""
    reader = asyncio.StreamReader()
    file = os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb", 0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    try:
        yield reader
    finally:
        transport.close()


class Caller:
    """A phone of ours, and what its calls agree on."""

    def __init__(self, phone):
        self.phone = phone

    @classmethod
    @asynccontextmanager
    async def open(cls, *transports, **config):
        listen = tuple(Listen(transport, LOOPBACK) for transport in transports or (Transport.UDP,))
        async with Phone.open(
            PhoneConfig(listen=listen, **config), KnownAddresses({LOOPBACK})
        ) as phone:
            yield cls(phone)

    def ring(self, target, *destinations, audio=None, does=None, **changes):
        """Ring with a real offer; `audio` answers what the far end offers later.

        `does` are functions by which the session differs from that.
        """
        return self.phone.ring(*self._call(target, destinations, audio, does, changes))

    async def place(self, target, *destinations, audio=None, does=None, **changes):
        """Do the same, and leave it to the test to hang up."""
        return await self.phone.place(*self._call(target, destinations, audio, does, changes))

    @staticmethod
    def _call(target, destinations, audio, does, changes):
        audio = audio or audio_session()
        session = {
            "answer_offer": lambda offer: audio.answer_offer(offer)[0],
            "make_offer": audio.create_offer,
            **(does or {}),
        }
        invitation = Invitation(
            target=target,
            from_=NameAddr(SipUri("sip", "alice", None, LOOPBACK)),
            to=NameAddr(target),
            body=audio.create_offer(),
            destinations=destinations,
            **changes,
        )
        return invitation, Scripted(**session)


def audio_session():
    return AudioSession(LocalAudio(LOOPBACK, 40000, (PCMA, PCMU, TELEPHONE_EVENT)), 1)
