"""Whose requests are taken: those of trunks and of registered phones."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from twoleg.sip import Flow, Request
from twoleg.sip_io import Verdict

MAX_PHONE_HOSTS: Final = 50_000
"""Addresses of phones that are remembered; the one that registered longest ago goes first."""


class KnownPeers:
    """The gatekeeper of an engine. A REGISTER is let in from everywhere: its digest decides."""

    def __init__(self) -> None:
        self._trunks: frozenset[str] = frozenset()
        self._phones: OrderedDict[str, float] = OrderedDict()

    def judge(self, request: Request, flow: Flow) -> Verdict:
        if request.method == "REGISTER" or self.trusts(flow.remote.host):
            return Verdict.ALLOW
        return Verdict.FORBID

    def trusts(self, host: str) -> bool:
        return host in self._trunks or self._phones.get(host, 0.0) > time.time()

    def set_trunks(self, hosts: Collection[str]) -> None:
        """Take the addresses of all trunks, in the place of those before."""
        self._trunks = frozenset(hosts)

    def add_phone(self, host: str, until: float) -> None:
        """Take note that a phone is registered there until then, in seconds since the epoch."""
        self._phones[host] = max(until, self._phones.get(host, 0.0))
        self._phones.move_to_end(host)
        if len(self._phones) > MAX_PHONE_HOSTS:
            self._phones.popitem(last=False)
