"""Browsers' media sides on loopback sockets, and a plane for them."""

import asyncio
import hmac
import socket
from zlib import crc32

import pytest

from twoleg.media import Codec, EmbeddedPlane, RemoteStream
from twoleg.media.rtp import RtpPacket
from twoleg.media.srtp import Srtp
from twoleg.media.webrtc.dtls import Certificate, DtlsAssociation
from twoleg.media.webrtc.terms import WebRtcTerms

PORTS = range(20_000, 60_000)
LOOPBACKS = ("127.0.0.1", "::1")
SECONDS = 10
OURS, THEIRS, PASSWORD = "ours", "theirs", "our password of 22 signs"


def attribute(kind, value):
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def check(username, password, transaction=bytes(12), *, nominates=True):
    """Write a connectivity check (RFC 8445 7.1)."""

    def head(length):
        return b"\x00\x01" + length.to_bytes(2, "big") + b"\x21\x12\xa4\x42" + transaction

    body = attribute(0x0006, username.encode()) + attribute(0x802A, bytes(8))
    body += attribute(0x0024, b"\x6e\x00\x01\xff")
    if nominates:
        body += attribute(0x0025, b"")
    integrity = hmac.digest(password.encode(), head(len(body) + 24) + body, "sha1")
    body += attribute(0x0008, integrity)
    whole = head(len(body) + 8) + body
    fingerprint = (crc32(whole) ^ 0x5354554E).to_bytes(4, "big")
    return whole + attribute(0x8028, fingerprint)


class Browser:
    """What a browser does with a port: checks, a DTLS handshake, SRTP. It waits when asked to."""

    def __init__(self, host, *, certificate=None, is_server=False, password=PASSWORD):
        self.host = host
        self.certificate = certificate or Certificate()
        self.is_server = is_server
        self.password = password
        self.username = f"{OURS}:{THEIRS}"
        self.loop = asyncio.get_running_loop()
        self.sockets = []
        self.rtp = self.move()
        self.srtp = None
        self.sequence, self.timestamp, self.ssrc = 1000, 5000, 7
        self.heard = []
        self.checks = 0
        self._at = None
        self._new_association()

    def move(self):
        """Send from another place from now on, as a phone does that leaves a WLAN."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.rtp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.rtp.bind((self.host, 0))
        self.sockets.append(self.rtp)
        return self.rtp

    @property
    def place(self):
        return self.rtp.getsockname()

    def terms(self, **changes):
        digest = bytes.fromhex(self.certificate.fingerprint.replace(":", ""))
        fields = {
            "fragment": OURS,
            "password": PASSWORD,
            "remote_fragment": THEIRS,
            "fingerprints": (("sha-256", digest),),
            "is_client": self.is_server,
        }
        return WebRtcTerms(**(fields | changes))

    def stream(self, codec=Codec.PCMU, terms=None, **changes):
        fields = {
            "host": "0.0.0.0",
            "port": 9,
            "codec": codec,
            "payload_type": codec.payload_type,
            "dtmf_payload_type": 101,
            "rtcp_mux": True,
            "webrtc": terms or self.terms(),
        }
        return RemoteStream(**(fields | changes))

    def check(self, *, nominates=True):
        """Send a connectivity check (RFC 8445 7.1)."""
        self.checks += 1
        transaction = self.checks.to_bytes(12, "big")
        self.send(check(self.username, self.password, transaction, nominates=nominates))

    def send(self, data):
        self.rtp.sendto(data, self._at)

    async def received(self):
        async with asyncio.timeout(SECONDS):
            return await self.loop.sock_recv(self.rtp, 2048)

    async def answer(self):
        """Give the next STUN message; what else comes meanwhile is dealt with."""
        while True:
            data = await self.received()
            if data[0] < 4:
                return data
            self._take(data)

    async def connect(self, port):
        """Do what a browser does until audio can flow."""
        self.reach(port)
        self.check()
        await self.answer()
        await self.handshake()

    def reach(self, port):
        self._at = (port.address, port.port)

    async def handshake(self):
        if not self.is_server:
            self._dtls.begin()
        while not self._dtls.is_established:
            self._take(await self.received())
        if self.srtp is None:
            self.srtp = Srtp(self._dtls.keys())

    def renew(self):
        """Be another browser: a page that was loaded anew."""
        self.certificate = Certificate()
        self.srtp = None
        self._new_association()

    def close(self):
        self._dtls.close()

    def say(self, payload=bytes(160), *, payload_type=0):
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp += 160
        packet = RtpPacket(
            payload_type=payload_type,
            sequence=self.sequence,
            timestamp=self.timestamp,
            ssrc=self.ssrc,
            payload=payload,
        )
        sent = []
        self.srtp.sending(sent.append)(packet.to_bytes())
        self.send(sent[0])
        return sent[0]

    async def hear(self):
        """Give the next RTP packet that can be made plain."""
        while True:
            data = await self.received()
            if data[0] < 128:
                self._take(data)
                continue
            plain = self.srtp.opened(data)
            if plain and not 192 <= plain[1] <= 223:
                return RtpPacket.parse(plain)

    def _take(self, data):
        if 20 <= data[0] < 64:
            self._dtls.receive(data)

    def _new_association(self):
        self._dtls = DtlsAssociation(self.certificate, self.send, is_client=not self.is_server)


@pytest.fixture(params=LOOPBACKS)
def host(request):
    """Where browsers and the plane are: on IPv4, on IPv6."""
    return request.param


@pytest.fixture
async def plane(host):
    async with EmbeddedPlane.open(host=host, ports=PORTS) as plane:
        yield plane
        assert plane.ports_open == 0


@pytest.fixture
async def browser(host):
    made = []

    def make(**options):
        made.append(Browser(host, **options))
        return made[-1]

    yield make
    for each in made:
        for opened in each.sockets:
            opened.close()


@pytest.fixture(scope="session")
def binding_request():
    return check


@pytest.fixture
def until():
    """Wait for what the plane does by itself, in the same event loop."""

    async def wait(condition):
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0)

    return wait
