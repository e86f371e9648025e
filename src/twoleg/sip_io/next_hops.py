"""The addresses that a new request goes to, in order."""

from __future__ import annotations

import asyncio

from twoleg.sip import Destination, NameAddr, SipUri
from twoleg.sip_io.resolver import Resolver, UnresolvedHost, is_address


async def next_hops(
    resolver: Resolver,
    destinations: tuple[Destination, ...],
    routes: tuple[NameAddr, ...],
    target: SipUri,
) -> tuple[Destination, ...]:
    """Find the addresses of `destinations`; without any, those of the first route or the target.

    RFC 3263 4. A destination that cannot be found is left out; raises UnresolvedHost where
    nothing was found at all.
    """
    if are_settled(destinations):
        return destinations
    if not destinations:
        return await resolver.resolve_uri(_next_hop(routes, target))
    found: list[Destination] = []
    problem: UnresolvedHost | None = None
    for answer in await asyncio.gather(
        *map(resolver.resolve, destinations), return_exceptions=True
    ):
        if isinstance(answer, UnresolvedHost):
            problem = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found += answer
    if not found and problem is not None:
        raise problem
    return tuple(found)


def are_settled(destinations: tuple[Destination, ...]) -> bool:
    """Tell whether there are destinations, and none of them needs DNS."""
    return bool(destinations) and all(map(is_settled, destinations))


def is_settled(destination: Destination) -> bool:
    """Tell whether a destination needs no DNS."""
    return destination.port is not None and is_address(destination.host)


def _next_hop(routes: tuple[NameAddr, ...], target: SipUri) -> SipUri:
    hop = routes[0].uri if routes else target
    if not isinstance(hop, SipUri):
        raise UnresolvedHost(str(hop), "it names no host", temporary=False)
    return hop
