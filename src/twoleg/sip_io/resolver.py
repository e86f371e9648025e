"""Finding where a request goes: RFC 3263 (NAPTR, SRV, A/AAAA), with a cache and a blacklist."""

import asyncio
import ipaddress
import random
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from socket import AF_INET, AF_INET6, SOCK_DGRAM, gaierror
from types import TracebackType
from typing import Any, Self

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from twoleg.sip import Destination, SipUri, Transport
from twoleg.sip.values import immutable
from twoleg.sip_io.dns_sockets import DnsSockets

MAX_CACHED_QUESTIONS = 4096
MAX_BLACKLISTED = 4096
MAX_DESTINATIONS = 16
"""More targets than this for one request would outlast any caller's patience."""

MIN_TTL = 5.0
MAX_TTL = 3600.0
NEGATIVE_TTL = 30.0
"""How long a name that is not there is remembered (RFC 2308 allows hours; an operator who has
just mended a zone should not wait for them)."""

FAILURE_TTL = 3.0
"""How long name servers that do not answer are left alone about the same name."""

_NAPTR_TRANSPORTS = {
    "SIP+D2U": Transport.UDP,
    "SIP+D2T": Transport.TCP,
    "SIPS+D2T": Transport.TLS,
}
_SRV_PREFIXES = {
    Transport.UDP: "_sip._udp.",
    Transport.TCP: "_sip._tcp.",
    Transport.TLS: "_sips._tcp.",
}
_PREFERENCE = (Transport.UDP, Transport.TCP, Transport.TLS)
"""The order in which SRV is asked where no NAPTR says what the server prefers."""


class UnresolvedHost(Exception):
    """A host has no address that a request could be sent to."""

    def __init__(self, host: str, reason: str, *, temporary: bool) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason
        self.temporary = temporary


@immutable(kw_only=True)
class ResolverConfig:
    """`nameservers` are (address, port) pairs; empty means those of the system.

    `lookup_seconds` bounds one DNS question over all its name servers and tries. `ipv4` and `ipv6`
    say which addresses are asked for; a phone asks for none of a kind that it does not listen on.
    """

    nameservers: tuple[tuple[str, int], ...] = ()
    transports: frozenset[Transport] = frozenset(_PREFERENCE)
    ipv4: bool = True
    ipv6: bool = True
    lookup_seconds: float = 5.0
    blacklist_seconds: float = 60.0


@immutable()
class _Question:
    """What is left to ask once the URI has been looked at: `transport` None means any."""

    host: str
    port: int | None
    transport: Transport | None
    secure: bool


@immutable()
class _Server:
    """One host to try; the rank is NAPTR's order and preference, the rest is SRV's."""

    transport: Transport
    port: int
    addresses: tuple[str, ...]
    rank: int = 0
    priority: int = 0
    weight: int = 0


@immutable()
class _Found:
    expires: float
    servers: tuple[_Server, ...] = ()
    failure: UnresolvedHost | None = None


class _Ttl:
    """The least lifetime of all the records that an answer is made from."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = MAX_TTL

    def note(self, seconds: float) -> None:
        self.seconds = max(MIN_TTL, min(self.seconds, seconds))


class Resolver:
    """Turns URIs and destinations by name into destinations by address, best first.

    An async context manager: leaving it ends the questions under way.
    """

    def __init__(self, config: ResolverConfig, chance: random.Random | None = None) -> None:
        self._config = config
        self._chance = chance or random.Random()
        self._dns = _dns_resolver(config)
        self._sockets = DnsSockets()
        self._cache: OrderedDict[_Question, _Found] = OrderedDict()
        self._asking: dict[_Question, asyncio.Task[_Found]] = {}
        self._blacklist: OrderedDict[tuple[Transport, str, int | None], float] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def resolve_uri(self, uri: SipUri) -> tuple[Destination, ...]:
        """Return where a request to `uri` goes, in the order to try (RFC 3263 4).

        Raises UnresolvedHost.
        """
        secure = uri.scheme == "sips"
        transport = uri.transport
        if transport is not None and transport.by_websocket:
            raise _closed_websocket(uri.host)
        if secure and transport is not None:
            transport = Transport.TLS
        host = uri.parameter("maddr") or uri.host
        return await self._resolve(_Question(host, uri.port, transport, secure), verify=True)

    async def resolve(self, destination: Destination) -> tuple[Destination, ...]:
        """Return the addresses of a destination whose transport is settled.

        Raises UnresolvedHost.
        """
        if destination.port is not None and is_address(destination.host):
            return (destination,)
        question = _Question(destination.host, destination.port, destination.transport, False)
        domain, verify = destination.domain, destination.verify
        found = await self._resolve(question, verify=verify)
        if domain is None:
            return found
        return tuple(replace(each, domain=domain) for each in found)

    def failed(self, destination: Destination) -> None:
        """Note that a target did not answer: for a while the others are tried before it."""
        key = (destination.transport, destination.host, destination.port)
        self._blacklist[key] = asyncio.get_running_loop().time() + self._config.blacklist_seconds
        self._blacklist.move_to_end(key)
        if len(self._blacklist) > MAX_BLACKLISTED:
            self._blacklist.popitem(last=False)

    def worked(self, destination: Destination) -> None:
        """Note that a target answered."""
        if self._blacklist:
            key = (destination.transport, destination.host, destination.port)
            self._blacklist.pop(key, None)

    async def _resolve(self, question: _Question, *, verify: bool) -> tuple[Destination, ...]:
        if is_address(question.host):
            transport = question.transport or _default_transport(question)
            port = question.port or transport.default_port
            return (Destination(transport, question.host, port, verify=verify),)
        found = await self._find(question)
        if found.failure is not None:
            failure = found.failure
            raise UnresolvedHost(failure.host, failure.reason, temporary=failure.temporary)
        # Requests within the dialog do not find what SRV did: their hop has a port by then.
        addresses = sum([len(server.addresses) for server in found.servers])
        several = question.port is not None and addresses > 1
        destinations = [
            Destination(server.transport, address, server.port, question.host, verify, several)
            for server in in_order_of_rank(found.servers, self._chance)
            for address in server.addresses
        ]
        return tuple(self._failing_last(destinations)[:MAX_DESTINATIONS])

    def _failing_last(self, destinations: list[Destination]) -> list[Destination]:
        """Put blacklisted targets last; they are not dropped: they may be all there is."""
        if not self._blacklist:
            return destinations
        now = asyncio.get_running_loop().time()
        return sorted(
            destinations,
            key=lambda each: self._blacklist.get((each.transport, each.host, each.port), 0.0) > now,
        )

    async def _find(self, question: _Question) -> _Found:
        """Answer from the cache, or ask; those who ask the same at once share one lookup."""
        found = self._cache.get(question)
        if found is not None and found.expires > asyncio.get_running_loop().time():
            self._cache.move_to_end(question)
            return found
        task = self._asking.get(question)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(question))
            self._asking[question] = task
        await asyncio.wait((task,))
        if task.cancelled():
            raise UnresolvedHost(question.host, "the resolver is closed", temporary=True)
        return task.result()

    async def _ask(self, question: _Question) -> _Found:
        loop = asyncio.get_running_loop()
        ttl = _Ttl()
        try:
            servers = await self._servers(question, ttl)
            if servers:
                found = _Found(loop.time() + ttl.seconds, servers)
            else:
                failure = UnresolvedHost(question.host, "no such host", temporary=False)
                found = _Found(loop.time() + NEGATIVE_TTL, failure=failure)
        except UnresolvedHost as failure:
            seconds = FAILURE_TTL if failure.temporary else NEGATIVE_TTL
            found = _Found(loop.time() + seconds, failure=failure)
        finally:
            del self._asking[question]
        self._cache[question] = found
        if len(self._cache) > MAX_CACHED_QUESTIONS:
            self._cache.popitem(last=False)
        return found

    async def _servers(self, question: _Question, ttl: _Ttl) -> tuple[_Server, ...]:
        """RFC 3263 4.1 and 4.2 for a host that is a name."""
        if question.port is None:
            services = await self._services(question, ttl)
            ranked = await asyncio.gather(
                *(
                    self._service_servers(transport, name, rank, ttl)
                    for rank, (transport, name) in enumerate(services)
                )
            )
            servers = tuple(server for group in ranked if group for server in group)
            if servers:
                return servers
            if any(group is not None for group in ranked):
                raise UnresolvedHost(question.host, "no host for the service", temporary=False)
        transport = question.transport or _default_transport(question)
        addresses = await self._addresses(question.host, ttl)
        if not addresses:
            return ()
        return (_Server(transport, question.port or transport.default_port, addresses),)

    async def _services(self, question: _Question, ttl: _Ttl) -> list[tuple[Transport, str]]:
        """The names to ask SRV for, best first: from NAPTR, or made up (RFC 3263 4.1)."""
        if question.transport is not None:
            return [(question.transport, _SRV_PREFIXES[question.transport] + question.host)]
        usable = [each for each in _PREFERENCE if each in self._config.transports]
        if question.secure:
            usable = [each for each in usable if each.secure]
        try:
            records = await self._records(question.host, "NAPTR", ttl)
        except UnresolvedHost:
            records = []  # name servers that choke on NAPTR may still know SRV and A
        pointers = []
        for record in records:
            transport = _NAPTR_TRANSPORTS.get(record.service.decode("latin-1").upper())
            if transport in usable and record.flags.lower() == b"s":
                pointers.append(
                    (record.order, record.preference, transport, record.replacement.to_text())
                )
        if pointers:
            pointers.sort(key=lambda pointer: pointer[:2])
            return [(transport, name) for _, _, transport, name in pointers]
        return [(transport, _SRV_PREFIXES[transport] + question.host) for transport in usable]

    async def _service_servers(
        self, transport: Transport, name: str, rank: int, ttl: _Ttl
    ) -> list[_Server] | None:
        """The servers behind one SRV name; None when there is no such record at all."""
        records = await self._records(name, "SRV", ttl)
        if not records:
            return None
        offered = [record for record in records if record.target != dns.name.root]
        addresses = await asyncio.gather(
            *(self._addresses(record.target.to_text(), ttl) for record in offered)
        )
        return [
            _Server(transport, record.port, found, rank, record.priority, record.weight)
            for record, found in zip(offered, addresses, strict=True)
            if found
        ]

    async def _addresses(self, host: str, ttl: _Ttl) -> tuple[str, ...]:
        kinds = ["AAAA"] * self._config.ipv6 + ["A"] * self._config.ipv4
        answers = await asyncio.gather(*(self._records(host, kind, ttl) for kind in kinds))
        addresses = tuple(record.address for answer in answers for record in answer)
        if not addresses and not self._config.nameservers:
            return await self._system_addresses(host)
        return addresses

    async def _system_addresses(self, host: str) -> tuple[str, ...]:
        """What the system itself knows beyond DNS: its hosts file, its search domains."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host.rstrip("."), None, type=SOCK_DGRAM)
        except (gaierror, UnicodeError):
            return ()
        wanted = {AF_INET6} if not self._config.ipv4 else {AF_INET}
        if self._config.ipv4 and self._config.ipv6:
            wanted.add(AF_INET6)
        return tuple(dict.fromkeys(str(info[4][0]) for info in found if info[0] in wanted))

    async def _records(self, name: str, kind: str, ttl: _Ttl) -> list[Any]:
        """Ask for one kind of records; none of them is no error.

        Raises UnresolvedHost when the name is no DNS name, or no name server answers.
        """
        try:
            absolute = dns.name.from_text(name)
            answer = await self._dns.resolve(
                absolute,
                kind,
                raise_on_no_answer=False,
                search=False,
                lifetime=self._config.lookup_seconds,
                backend=self._sockets,
            )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.resolver.NoNameservers, dns.exception.Timeout) as error:
            if not self._config.nameservers and kind in ("A", "AAAA"):
                return []  # the system may know the host without any name server
            raise UnresolvedHost(name, "no name server answers", temporary=True) from error
        except (dns.exception.DNSException, UnicodeError) as error:
            raise UnresolvedHost(name, "not a host name", temporary=False) from error
        if answer.rrset is None:
            return []
        ttl.note(answer.rrset.ttl)
        return list(answer.rrset)


@lru_cache(maxsize=MAX_CACHED_QUESTIONS)
def is_address(host: str) -> bool:
    """Whether a host is an IP address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def in_order_of_rank(servers: Iterable[_Server], chance: random.Random) -> Sequence[_Server]:
    """Order servers by rank and priority, and within them at random by weight (RFC 2782)."""
    ordered: list[_Server] = []
    by_rank = sorted(servers, key=lambda server: (server.rank, server.priority))
    for _, group in groupby(by_rank, key=lambda server: (server.rank, server.priority)):
        # Weight 0 comes first, so that it has a small chance beside others' weights.
        left = sorted(group, key=lambda server: server.weight)
        while left:
            point = chance.randint(0, sum(server.weight for server in left))
            chosen = 0
            while point > left[chosen].weight:
                point -= left[chosen].weight
                chosen += 1
            ordered.append(left.pop(chosen))
    return ordered


def _closed_websocket(host: str) -> UnresolvedHost:
    reason = "it can be reached only by a WebSocket that it has opened"
    return UnresolvedHost(host, reason, temporary=False)


def _default_transport(question: _Question) -> Transport:
    return Transport.TLS if question.secure else Transport.UDP


def _dns_resolver(config: ResolverConfig) -> dns.asyncresolver.Resolver:
    if not config.nameservers:
        try:
            return dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return dns.asyncresolver.Resolver(configure=False)
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [
        dns.nameserver.Do53Nameserver(address, port) for address, port in config.nameservers
    ]
    return resolver
