"""DTLS for SRTP (RFC 5764): two sides joined by lists of datagrams."""

import hashlib
from collections import deque

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from twoleg.media.webrtc.dtls import (
    MAX_DATAGRAM_BYTES,
    Certificate,
    DtlsAssociation,
    DtlsFailed,
    _datagrams,
)

OURS, THEIRS = Certificate(), Certificate()


class Pair:
    """A client and a server, and what is on the way between them."""

    def __init__(self, client=OURS, server=THEIRS):
        self.to_server, self.to_client = deque(), deque()
        self.seen = []
        self.client = DtlsAssociation(client, self._put(self.to_server), is_client=True)
        self.server = DtlsAssociation(server, self._put(self.to_client), is_client=False)

    def _put(self, queue):
        def send(datagram):
            self.seen.append(datagram)
            queue.append(datagram)

        return send

    def run(self):
        while self.to_server or self.to_client:
            if self.to_server:
                self.server.receive(self.to_server.popleft())
            if self.to_client:
                self.client.receive(self.to_client.popleft())

    def shake_hands(self):
        self.client.begin()
        self.run()
        return self


def test_each_side_sends_with_the_key_that_the_other_expects():
    pair = Pair().shake_hands()
    assert pair.client.is_established
    assert pair.server.is_established
    client, server = pair.client.keys(), pair.server.keys()
    assert (client.ours, client.theirs) == (server.theirs, server.ours)
    assert client.ours != client.theirs
    assert len(client.ours) == 30


def test_each_association_has_keys_of_its_own():
    assert Pair().shake_hands().client.keys() != Pair().shake_hands().client.keys()


@pytest.mark.parametrize("function", ["sha256", "sha384", "sha512"])
def test_the_described_certificate_is_recognised(function):
    pair = Pair().shake_hands()
    shown = pair.server._connection.get_peer_certificate(as_cryptography=True)
    digest = hashlib.new(function, shown.public_bytes(Encoding.DER)).digest()
    pair.server.check(((f"sha-{function[3:]}", digest),))


@pytest.mark.parametrize("named", [(), (("sha-256", bytes(32)),), (("sha-1", bytes(20)),)])
def test_another_certificate_is_refused(named):
    with pytest.raises(DtlsFailed, match="not that of its a=fingerprint"):
        Pair().shake_hands().server.check(named)


def test_who_shows_no_certificate_is_refused():
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    pair = Pair()
    pair.client._connection = SSL.Connection(context)
    pair.client._connection.set_connect_state()
    with pytest.raises(DtlsFailed, match="certificate"):
        pair.shake_hands()


def test_who_protects_in_another_way_gets_no_keys():
    certificate = Certificate()
    certificate.context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_32")
    pair = Pair(client=certificate).shake_hands()
    with pytest.raises(DtlsFailed, match="SRTP_AES128_CM_HMAC_SHA1_80"):
        pair.server.keys()


def test_datagrams_are_of_whole_records_and_get_through_any_tunnel():
    pair = Pair().shake_hands()
    for datagram in pair.seen:
        assert len(datagram) <= MAX_DATAGRAM_BYTES
        at = 0
        while at < len(datagram):
            assert datagram[at] in range(20, 64)
            at += 13 + int.from_bytes(datagram[at + 11 : at + 13], "big")
        assert at == len(datagram)


@given(st.lists(st.integers(0, 1100), min_size=1, max_size=12))
def test_records_are_packed_in_their_order(sizes):
    records = [b"\x16" + bytes(10) + size.to_bytes(2, "big") + bytes(size) for size in sizes]
    datagrams = list(_datagrams(b"".join(records)))
    assert b"".join(datagrams) == b"".join(records)
    assert all(len(each) <= MAX_DATAGRAM_BYTES for each in datagrams)


def test_the_end_is_told():
    pair = Pair().shake_hands()
    pair.client.close()
    with pytest.raises(DtlsFailed, match="closed"):
        pair.run()


def test_messages_that_come_twice_or_in_disorder_do_no_harm():
    pair = Pair()
    pair.client.begin()
    while pair.to_server or pair.to_client:
        for queue, side in ((pair.to_server, pair.server), (pair.to_client, pair.client)):
            waiting = [queue.popleft() for _ in range(len(queue))]
            for datagram in (*waiting[::-1], *waiting):
                side.receive(datagram)
    assert pair.server.keys().ours == pair.client.keys().theirs


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=100), max_size=8), st.booleans())
def test_whatever_comes_fails_in_one_way(datagrams, shaken):
    pair = Pair()
    if shaken:
        pair.shake_hands()
    try:
        for datagram in datagrams:
            pair.server.receive(b"\x16\xfe\xfd" + datagram)
    except DtlsFailed:
        return
    if not shaken:
        assert not pair.server.is_established


@settings(max_examples=60)
@given(st.lists(st.none() | st.integers(0, 2000), max_size=12))
def test_a_handshake_in_which_octets_were_changed_has_the_right_keys_or_none(changes):
    pair, changes = Pair(), deque(changes)
    try:
        pair.client.begin()
        while pair.to_server or pair.to_client:
            for queue, side in ((pair.to_server, pair.server), (pair.to_client, pair.client)):
                if not queue:
                    continue
                datagram = bytearray(queue.popleft())
                place = changes.popleft() if changes else None
                if place is not None:
                    datagram[place % len(datagram)] ^= 0xFF
                side.receive(bytes(datagram))
    except DtlsFailed:
        return
    if pair.server.is_established and pair.client.is_established:
        assert pair.server.keys().ours == pair.client.keys().theirs
