import random
from collections import Counter

import pytest

from twoleg.sip import Destination, SipUri, Transport
from twoleg.sip_io.resolver import (
    Resolver,
    ResolverConfig,
    UnresolvedHost,
    _Server,
    in_order_of_rank,
)

NAPTR_ZONE = (
    ("example.com.", 60, "NAPTR",
     '20 10 "s" "SIP+D2U" "" _sip._udp.example.com.',
     '10 10 "s" "SIP+D2T" "" _sip._tcp.example.com.',
     '5 10 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
     '1 10 "u" "E2U+sip" "!^.*$!sip:x@y!" .'),
    ("_sip._udp.example.com.", 60, "SRV", "10 0 5070 udp.example.com."),
    ("_sip._tcp.example.com.", 60, "SRV", "20 0 5080 b.example.com.", "10 0 5081 a.example.com."),
    ("_sips._tcp.example.com.", 60, "SRV", "10 0 5091 tls.example.com."),
    ("udp.example.com.", 60, "A", "192.0.2.1"),
    ("a.example.com.", 60, "A", "192.0.2.2", "192.0.2.22"),
    ("b.example.com.", 60, "A", "192.0.2.3"),
    ("tls.example.com.", 60, "A", "192.0.2.4"),
    ("plain.example.com.", 60, "A", "192.0.2.5"),
    ("plain.example.com.", 60, "AAAA", "2001:db8::5"),
    ("none.example.com.", 60, "A", "192.0.2.6"),
    ("_sip._udp.none.example.com.", 60, "SRV", "0 0 0 ."),
)  # fmt: skip


def resolver(server, **options):
    options = {"lookup_seconds": 1.0, "ipv6": False, **options}
    return Resolver(ResolverConfig(nameservers=(server.address,), **options), random.Random(1))


async def targets(found):
    return [(each.transport, each.host, each.port) for each in await found]


async def test_an_address_needs_no_name_server_and_gets_the_default_port(name_server):
    async with name_server() as server, resolver(server) as it:
        uri = SipUri.parse("sip:bob@192.0.2.9")
        assert await targets(it.resolve_uri(uri)) == [(Transport.UDP, "192.0.2.9", 5060)]
        uri = SipUri.parse("sips:bob@192.0.2.9")
        assert await targets(it.resolve_uri(uri)) == [(Transport.TLS, "192.0.2.9", 5061)]
        uri = SipUri.parse("sip:bob@[2001:db8::1]:5070;transport=TCP")
        assert await targets(it.resolve_uri(uri)) == [(Transport.TCP, "2001:db8::1", 5070)]
        assert not server.asked


async def test_naptr_decides_the_transport_and_srv_the_order(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        found = await it.resolve_uri(SipUri.parse("sip:example.com"))
        assert [(each.transport, each.port) for each in found] == [
            (Transport.TLS, 5091),
            (Transport.TCP, 5081),
            (Transport.TCP, 5081),
            (Transport.TCP, 5080),
            (Transport.UDP, 5070),
        ]
        assert {each.host for each in found[1:3]} == {"192.0.2.2", "192.0.2.22"}
        assert {each.domain for each in found} == {"example.com"}


async def test_sips_takes_tls_only(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        found = await targets(it.resolve_uri(SipUri.parse("sips:example.com")))
        assert found == [(Transport.TLS, "192.0.2.4", 5091)]


async def test_a_transport_in_the_uri_asks_for_no_naptr(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        found = await targets(it.resolve_uri(SipUri.parse("sip:example.com;transport=UDP")))
        assert found == [(Transport.UDP, "192.0.2.1", 5070)]
        assert ("example.com.", "NAPTR") not in server.asked


async def test_an_explicit_port_asks_for_addresses_only(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server, ipv6=True) as it:
        found = await targets(it.resolve_uri(SipUri.parse("sip:plain.example.com:5999")))
        assert found == [
            (Transport.UDP, "2001:db8::5", 5999),
            (Transport.UDP, "192.0.2.5", 5999),
        ]
        assert {kind for _, kind in server.asked} == {"A", "AAAA"}


async def test_a_host_without_srv_is_found_by_its_address(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        found = await targets(it.resolve(Destination(Transport.TCP, "plain.example.com", None)))
        assert found == [(Transport.TCP, "192.0.2.5", 5060)]


async def test_an_srv_of_a_dot_says_that_the_service_is_not_there(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        with pytest.raises(UnresolvedHost) as caught:
            await it.resolve(Destination(Transport.UDP, "none.example.com", None))
        assert not caught.value.temporary


@pytest.mark.parametrize(("name", "others"), [("a", True), ("b", False)])
async def test_of_several_addresses_each_knows_that_there_are_others(name_server, name, others):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        there = Destination(Transport.UDP, f"{name}.example.com", 5060, domain="example.com")
        assert {each.others for each in await it.resolve(there)} == {others}


async def test_what_a_service_has_says_nothing_of_its_domains_addresses(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        found = await it.resolve_uri(SipUri.parse("sip:example.com;transport=tcp"))
        assert [each.others for each in found] == [False] * 3


async def test_answers_and_absences_are_kept(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        for _ in range(3):
            await it.resolve(Destination(Transport.UDP, "example.com", None))
            with pytest.raises(UnresolvedHost):
                await it.resolve(Destination(Transport.UDP, "nowhere.test", None))
        assert set(server.asked.values()) == {1}


async def test_a_silent_name_server_is_a_temporary_failure(name_server):
    async with name_server() as server, resolver(server, lookup_seconds=0.05) as it:
        server.silent = True
        with pytest.raises(UnresolvedHost) as caught:
            await it.resolve(Destination(Transport.UDP, "example.com", 5060))
        assert caught.value.temporary


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".com", "", "bad name.com", "."])
async def test_what_is_no_host_name_is_refused(host, name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        with pytest.raises(UnresolvedHost):
            await it.resolve(Destination(Transport.UDP, host, None))


async def test_a_failing_target_comes_last_until_it_works_again(name_server):
    async with name_server(*NAPTR_ZONE) as server, resolver(server) as it:
        asked = Destination(Transport.TCP, "example.com", None)
        first, *others = await it.resolve(asked)
        it.failed(first)
        assert await it.resolve(asked) == (*others, first)
        it.worked(first)
        assert await it.resolve(asked) == (first, *others)


async def test_a_failing_target_comes_last_for_a_while_only(name_server):
    options = {"blacklist_seconds": 0.0}
    async with name_server(*NAPTR_ZONE) as server, resolver(server, **options) as it:
        asked = Destination(Transport.TCP, "example.com", None)
        before = await it.resolve(asked)
        it.failed(before[0])
        assert await it.resolve(asked) == before


def test_weights_share_the_load_within_a_priority():
    servers = [
        _Server(Transport.UDP, 5060, (name,), priority=priority, weight=weight)
        for name, priority, weight in [("a", 1, 75), ("b", 1, 25), ("backup", 2, 100)]
    ]
    chance = random.Random(7)
    orders = [
        tuple(server.addresses[0] for server in in_order_of_rank(servers, chance))
        for _ in range(2000)
    ]
    assert {order[2] for order in orders} == {"backup"}
    assert 0.70 < Counter(order[0] for order in orders)["a"] / len(orders) < 0.80
