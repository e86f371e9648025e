"""Encrypted legs: what goes out is protected, and what nobody with the key sent is not heard."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import deque

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Error, Policy, Session

from twoleg.media import Codec, SrtpKeys, SrtpSuite
from twoleg.media import control as control_module
from twoleg.media import plane as plane_module
from twoleg.media.dtmf import event_payload
from twoleg.media.rtcp import Report, build_compound, parse_compound
from twoleg.media.rtp import RtpPacket
from twoleg.media.srtp import MAX_SOURCES, Srtp

SUITE_80 = SrtpSuite.AES_CM_128_HMAC_SHA1_80
SUITE_32 = SrtpSuite.AES_CM_128_HMAC_SHA1_32
OURS, THEIRS, OTHERS = bytes(range(30)), bytes(range(30, 60)), bytes(range(60, 90))
KEYS = SrtpKeys(SUITE_80, OURS, THEIRS)

# RFC 3711 B.3: a master key and salt, and the session keys that come of them.
MASTER = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6")
CIPHER_KEY = bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
CIPHER_SALT = bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")
AUTH_KEY = bytes.fromhex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")


def packet(sequence, *, ssrc=0x5678, payload=bytes(160), payload_type=0, timestamp=None):
    return RtpPacket(
        payload_type=payload_type,
        sequence=sequence & 0xFFFF,
        timestamp=160 * sequence & 0xFFFFFFFF if timestamp is None else timestamp,
        ssrc=ssrc,
        payload=payload,
    ).to_bytes()


def protected_by_hand(plain, *, rollover=0, tag_bytes=10):
    """Protect a packet as RFC 3711 4.1.1 and 4.2 say, with the session keys of B.3."""
    ssrc, sequence = plain[8:12], plain[2:4]
    index = rollover.to_bytes(4, "big") + sequence
    counter = int.from_bytes(CIPHER_SALT, "big") << 16
    counter ^= int.from_bytes(ssrc, "big") << 64 ^ int.from_bytes(index, "big") << 16
    key_stream = modes.CTR(counter.to_bytes(16, "big"))
    encryptor = Cipher(algorithms.AES(CIPHER_KEY), key_stream).encryptor()
    data = plain[:12] + encryptor.update(plain[12:])
    tag = hmac.new(AUTH_KEY, data + rollover.to_bytes(4, "big"), hashlib.sha1).digest()
    return data + tag[:tag_bytes]


def sent_by(srtp, *packets):
    sent = []
    send = srtp.sending(lambda data: sent.append(data) or len(data))
    for each in packets:
        send(memoryview(bytearray(each)))
    return sent


class TestCipher:
    @pytest.mark.parametrize(("suite", "tag_bytes"), [(SUITE_80, 10), (SUITE_32, 4)])
    def test_the_session_keys_are_those_of_rfc_3711(self, suite, tag_bytes):
        plain = packet(0xDECA, ssrc=0xCAFEBABE, payload=b"\xab" * 16, timestamp=0xFBADCAFE)
        data = protected_by_hand(plain, tag_bytes=tag_bytes)
        assert sent_by(Srtp(SrtpKeys(suite, MASTER, THEIRS)), plain) == [data]
        assert Srtp(SrtpKeys(suite, THEIRS, MASTER)).opened(data) == plain

    def test_sequence_numbers_may_turn_over(self):
        turns = [packet(number) for number in range(0xFFFE, 0x10002)]
        by_hand = [
            protected_by_hand(plain, rollover=number >> 16)
            for number, plain in enumerate(turns, 0xFFFE)
        ]
        assert sent_by(Srtp(SrtpKeys(SUITE_80, MASTER, THEIRS)), *turns) == by_hand
        receiver = Srtp(SrtpKeys(SUITE_80, THEIRS, MASTER))
        # The last before the turn is late.
        order = [0, 2, 1, 3]
        assert [receiver.opened(by_hand[n]) for n in order] == [turns[n] for n in order]

    def test_a_key_that_is_agreed_on_again_goes_on_with_its_counters(self):
        turns = [packet(0xFFFF), packet(0x10000)]
        by_hand = [protected_by_hand(plain, rollover=n) for n, plain in enumerate(turns)]
        keys = SrtpKeys(SUITE_80, MASTER, MASTER)
        srtp = Srtp(keys)
        assert sent_by(srtp, turns[0]) == by_hand[:1]
        assert srtp.opened(by_hand[0])
        srtp.use(SrtpKeys(SUITE_32, OURS, MASTER))
        srtp.use(SrtpKeys(SUITE_80, MASTER, OTHERS))
        srtp.use(keys)
        assert sent_by(srtp, turns[1]) == by_hand[1:]

    def test_what_came_before_is_refused(self):
        srtp = Srtp(SrtpKeys(SUITE_80, THEIRS, MASTER))
        data = protected_by_hand(packet(7))
        assert srtp.opened(data)
        srtp.use(SrtpKeys(SUITE_80, OURS, MASTER))
        assert not srtp.opened(data)
        assert srtp.rejected == 1

    @pytest.mark.parametrize("suite", SrtpSuite)
    def test_a_flipped_bit_is_noticed(self, suite):
        [data] = sent_by(Srtp(SrtpKeys(suite, OURS, THEIRS)), packet(7))
        receiver = Srtp(SrtpKeys(suite, THEIRS, OURS))
        for place in (2, 4, 8, 12, len(data) - 1):
            forged = bytearray(data)
            forged[place] ^= 1
            assert not receiver.opened(bytes(forged))
        assert receiver.opened(data)

    def test_rtcp_is_protected_with_the_long_tag_in_both_suites(self):
        report = build_compound(Report(ssrc=1, sender=None, blocks=()), "name")
        for suite in SrtpSuite:
            data = Srtp(SrtpKeys(suite, OURS, THEIRS)).protect_rtcp(report)
            # RFC 3711 3.4: index and tag behind it; the first 8 octets stay as they are.
            assert len(data) == len(report) + 4 + 10
            assert data[:8] == report[:8]
            assert data[8:20] != report[8:20]
            assert Srtp(SrtpKeys(suite, THEIRS, OURS)).opened(data) == report

    def test_the_old_key_is_good_until_the_first_packet_under_the_new_one(self):
        far = Srtp(SrtpKeys(SUITE_80, THEIRS, OURS))
        before = sent_by(far, packet(1), packet(2))
        far.use(SrtpKeys(SUITE_80, OTHERS, OURS))
        [after] = sent_by(far, packet(3))
        srtp = Srtp(KEYS)
        srtp.use(SrtpKeys(SUITE_80, OURS, OTHERS))
        assert srtp.opened(before[0])
        assert srtp.opened(after)
        assert not srtp.opened(before[1])

    def test_a_far_end_with_ever_new_sources_takes_no_more_memory(self):
        far, srtp = Srtp(SrtpKeys(SUITE_80, THEIRS, OURS)), Srtp(KEYS)
        streams = [packet(1, ssrc=number) for number in range(MAX_SOURCES + 3)]
        opened = [bool(srtp.opened(data)) for data in sent_by(far, *streams)]
        assert opened == [True] * MAX_SOURCES + [False] * 3
        # Those that it had go on.
        assert srtp.opened(*sent_by(far, packet(2, ssrc=0)))

    def test_forged_sources_use_none_of_them_up(self):
        srtp = Srtp(KEYS)
        for number in range(2 * MAX_SOURCES):
            assert not srtp.opened(packet(1, ssrc=number))
        assert srtp.opened(*sent_by(Srtp(SrtpKeys(SUITE_80, THEIRS, OURS)), packet(1)))

    def test_what_is_too_long_or_too_late_is_not_sent(self):
        srtp = Srtp(KEYS)
        assert sent_by(srtp, packet(1, payload=bytes(1400))) == []
        assert len(sent_by(srtp, packet(1000), packet(995))) == 2
        assert sent_by(srtp, packet(500), packet(1000)) == []

    @given(st.binary(max_size=1600))
    def test_whatever_comes_is_refused(self, data):
        assert Srtp(KEYS).opened(data) == b""
        buffer = bytearray(2048)
        buffer[: len(data)] = data
        assert Srtp(KEYS).open(buffer, len(data), ("192.0.2.1", 4000)) == 0

    def test_no_key_is_shown(self):
        assert "x1d" not in repr(SrtpKeys(SUITE_80, OURS, OURS))


class EncryptedPhone:
    """A far end that speaks SRTP by itself, with the keys of KEYS or others."""

    def __init__(self, far_end, keys=KEYS):
        self.far_end = far_end
        self.keys = keys
        self._out = self._session(keys.suite, keys.theirs, Policy.SSRC_ANY_OUTBOUND)
        self._in = self._session(keys.suite, keys.ours, Policy.SSRC_ANY_INBOUND)

    @staticmethod
    def _session(suite, key, kind):
        return Session(Policy(key=key, ssrc_type=kind, srtp_profile=suite.value))

    def stream(self, codec=Codec.PCMU, **changes):
        return self.far_end.stream(codec, keys=self.keys, **changes)

    def send(self, port, payload=bytes(160), *, payload_type=0, advance=1):
        far = self.far_end
        far.sequence = (far.sequence + advance) & 0xFFFF
        far.timestamp += 160 * advance
        plain = packet(
            far.sequence,
            ssrc=far.ssrc,
            payload=payload,
            payload_type=payload_type,
            timestamp=far.timestamp,
        )
        data = self._out.protect(plain)
        far.rtp.sendto(data, (port.address, port.port))
        return data

    def send_control(self, port, report, *, muxed=False):
        data = self._out.protect_rtcp(report)
        sending = self.far_end.rtp if muxed else self.far_end.rtcp
        sending.sendto(data, (port.address, port.port + (not muxed)))

    async def receive(self):
        async with asyncio.timeout(5):
            data = await asyncio.get_running_loop().sock_recv(self.far_end.rtp, 2048)
        return RtpPacket.parse(self._in.unprotect(data))

    async def receive_control(self, *, muxed=False):
        reading = self.far_end.rtp if muxed else self.far_end.rtcp
        async with asyncio.timeout(5):
            data = await asyncio.get_running_loop().sock_recv(reading, 2048)
        return parse_compound(self._in.unprotect_rtcp(data))


@pytest.fixture
def phone(far_end):
    return EncryptedPhone(far_end(ssrc=1))


@pytest.fixture
def plain_phone(far_end):
    return far_end(ssrc=2)


class Frames:
    def __init__(self, count):
        self.count = count

    def frames(self, codec):
        return [bytes([codec.payload_type]) * 160] * self.count


class TestLegs:
    async def test_an_encrypted_and_a_plain_leg_hear_each_other(self, plane, phone, plain_phone):
        async with plane.open_port() as left, plane.open_port() as right:
            left.connect(phone.stream())
            right.connect(plain_phone.stream(Codec.PCMA))
            plane.bridge(left, right)
            for number in range(5):
                phone.send(left, bytes([number]) * 160)
                plain_phone.send(right, bytes([100 + number]) * 160, payload_type=8)
                heard = await plain_phone.receive()
                assert (heard.payload_type, len(heard.payload)) == (8, 160)
                heard = await phone.receive()
                assert (heard.payload_type, len(heard.payload)) == (0, 160)
            assert left.quality().packets_received == right.quality().packets_received == 5
            assert left.quality().packets_lost == 0

    async def test_two_encrypted_legs_have_keys_of_their_own(self, plane, far_end, phone):
        other = EncryptedPhone(far_end(ssrc=2), SrtpKeys(SUITE_32, OTHERS, bytes(30)))
        async with plane.open_port() as left, plane.open_port() as right:
            left.connect(phone.stream())
            right.connect(other.stream())
            plane.bridge(left, right)
            phone.send(left, b"\x11" * 160)
            assert (await other.receive()).payload == b"\x11" * 160
            other.send(right, b"\x22" * 160)
            assert (await phone.receive()).payload == b"\x22" * 160

    async def test_nothing_leaves_in_the_clear(self, plane, phone):
        async with plane.open_port() as port:
            port.connect(phone.stream())
            await port.play(Frames(3)).finished()
            phone.send(port)
            await port.first_packet()
            await port.play(Frames(3)).finished()
            for _ in range(6):
                assert (await phone.receive()).payload == bytes(160)

    async def test_digits_go_both_ways(self, plane, phone):
        async with plane.open_port() as port:
            port.connect(phone.stream())
            phone.send(port)
            phone.send(port, event_payload("5", 160, end=True), payload_type=101)
            assert await port.digit() == "5"
            port.send_digit("7")
            assert (await phone.receive()).payload[0] == 7

    async def test_what_is_heard_of_it_and_recorded_is_plain(self, plane, phone, received):
        taps, tracks = deque(), deque()

        class Track:
            def use(self, codec):
                pass

            def take(self, payload, timestamp, now):
                tracks.append(bytes(payload))

        async with plane.open_port() as port:
            port.connect(phone.stream())
            port.tap(lambda codec, payload: taps.append(payload))
            port.record(Track())
            for number in range(3):
                phone.send(port, bytes([number]) * 160)
            await received(port, 3)
        assert list(taps) == list(tracks) == [bytes([number]) * 160 for number in range(3)]

    async def test_who_has_not_the_key_never_latches(self, plane, phone, far_end, received, until):
        thief = far_end(ssrc=1)
        async with plane.open_port() as port:
            # The phone is behind a NAT: nobody has sent from the address that it named.
            port.connect(phone.stream(host="192.0.2.77"))
            for _ in range(5):
                thief.send(port)
            await until(lambda: port.quality().packets_rejected == 5)
            assert port.incoming.source is None
            for _ in range(3):
                phone.send(port)
            await port.first_packet()
            assert port.incoming.source[1] == phone.far_end.port

    async def test_what_was_overheard_and_is_sent_again_neither_latches_nor_is_heard(
        self, plane, phone, far_end, received, until
    ):
        thief = far_end()
        async with plane.open_port() as port:
            port.connect(phone.stream())
            overheard = [phone.send(port) for _ in range(4)]
            await received(port, 4)
            for data in overheard:
                thief.rtp.sendto(data, (port.address, port.port))
            phone.far_end.rtp.sendto(overheard[-1], (port.address, port.port))
            await until(lambda: port.quality().packets_rejected == 5)
            assert port.quality().packets_received == 4
            assert port.incoming.source[1] == phone.far_end.port

    async def test_plain_audio_from_the_far_end_itself_is_not_heard(self, plane, phone, until):
        async with plane.open_port() as port:
            port.connect(phone.stream())
            phone.send(port)
            await port.first_packet()
            phone.far_end.send(port)
            await until(lambda: port.quality().packets_rejected == 1)
            assert port.quality().packets_received == 1

    async def test_a_new_source_of_the_same_phone_is_taken(self, plane, phone, received):
        async with plane.open_port() as port:
            port.connect(phone.stream())
            phone.send(port)
            await received(port, 1)
            phone.far_end.ssrc = 99
            phone.send(port)
            await received(port, 2)
            assert port.incoming.media_source == 99

    async def test_sequence_numbers_turn_over_on_both_sides(
        self, plane, phone, plain_phone, received
    ):
        async with plane.open_port() as left, plane.open_port() as right:
            left.connect(phone.stream())
            right.connect(plain_phone.stream())
            plane.bridge(left, right)
            # What we send to the phone turns over too.
            left.outgoing.sequence = 0xFFFD
            phone.far_end.sequence = 0xFFFD
            numbers = []
            for count in range(1, 6):
                phone.send(left)
                await plain_phone.receive()
                plain_phone.send(right)
                numbers.append((await phone.receive()).sequence)
                assert left.quality().packets_received == count
            assert numbers == [0xFFFD, 0xFFFE, 0xFFFF, 0, 1]

    async def test_a_hold_that_keeps_the_keys_goes_on(self, plane, phone, received):
        async with plane.open_port() as port:
            port.connect(phone.stream())
            phone.send(port)
            await received(port, 1)
            port.connect(phone.stream(sending=False))
            port.connect(phone.stream())
            phone.send(port)
            await received(port, 2)
            await port.play(Frames(1)).finished()
            assert (await phone.receive()).payload == bytes(160)

    async def test_new_keys_are_used_from_the_next_packet_on(self, plane, phone, received):
        async with plane.open_port() as port:
            port.connect(phone.stream())
            phone.send(port)
            await received(port, 1)
            renewed = EncryptedPhone(phone.far_end, SrtpKeys(SUITE_32, OTHERS, bytes(30)))
            port.connect(renewed.stream())
            # On its way when the phone learnt of them.
            phone.send(port)
            await received(port, 2)
            renewed.send(port)
            await received(port, 3)
            await port.play(Frames(1)).finished()
            assert (await renewed.receive()).payload == bytes(160)

    @pytest.mark.parametrize("muxed", [False, True])
    async def test_reports_are_protected_both_ways(
        self, plane, phone, received, until, monkeypatch, muxed
    ):
        monkeypatch.setattr(control_module, "REPORT_SECONDS", 0.01)
        monkeypatch.setattr(plane_module, "SWEEP_SECONDS", 0.005)
        async with plane.open_port() as port:
            port.connect(phone.stream(rtcp_mux=muxed))
            phone.send(port)
            await received(port, 1)
            report, *_ = await phone.receive_control(muxed=muxed)
            assert [block.ssrc for block in report.blocks] == [1]
            forged = build_compound(report, "thief")
            place = (port.address, port.port + (not muxed))
            (phone.far_end.rtp if muxed else phone.far_end.rtcp).sendto(forged, place)
            await until(lambda: port.quality().packets_rejected == 1)
            block = report.blocks[0]
            theirs = Report(
                ssrc=1, sender=None, blocks=(type(block)(ssrc=port.outgoing.ssrc, jitter=80),)
            )
            phone.send_control(port, build_compound(theirs, "phone"), muxed=muxed)
            await until(lambda: port.quality().far_jitter_ms == 10)

    async def test_the_far_end_cannot_hear_what_was_meant_for_the_key_before(self, plane, phone):
        async with plane.open_port() as port:
            port.connect(phone.stream())
            port.connect(phone.far_end.stream(keys=SrtpKeys(SUITE_80, OTHERS, THEIRS)))
            await port.play(Frames(1)).finished()
            with pytest.raises(Error):
                await phone.receive()
