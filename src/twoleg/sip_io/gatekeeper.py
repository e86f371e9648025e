"""Who may send requests, and shutting out those who keep trying."""

from collections import OrderedDict
from collections.abc import Collection
from enum import Enum
from typing import Protocol

from twoleg.sip import Flow, Request
from twoleg.sip.values import immutable

MAX_SOURCES = 10_000
"""Sources that are remembered; the one heard of longest ago is forgotten first."""


class Verdict(Enum):
    """What to do with a request that opens something new: a call, a query, a subscription."""

    ALLOW = "allow"
    FORBID = "forbid"
    DROP = "drop"


class Gatekeeper(Protocol):
    """Decides about requests outside of dialogs; asked for each, so it must be quick."""

    def judge(self, request: Request, flow: Flow) -> Verdict: ...

    def trusts(self, host: str) -> bool:
        """Whether an address belongs to a trunk or a registered phone: never shut out."""
        ...


class KnownAddresses:
    """A gatekeeper for the plain case: requests from these addresses, and REGISTER from all.

    A REGISTER is judged by its digest.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self.hosts = set(hosts)

    def judge(self, request: Request, flow: Flow) -> Verdict:
        if request.method == "REGISTER" or flow.remote.host in self.hosts:
            return Verdict.ALLOW
        return Verdict.FORBID

    def trusts(self, host: str) -> bool:
        return host in self.hosts


@immutable(kw_only=True)
class ShutOutRules:
    """So many refused requests within so many seconds close the door for a while."""

    strikes: int = 20
    within_seconds: float = 60.0
    shut_seconds: float = 600.0


class ShutOuts:
    """A bounded table of sources: how often each was refused, and until when it is ignored."""

    def __init__(self, rules: ShutOutRules) -> None:
        self._rules = rules
        self._strikes: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._shut: OrderedDict[str, float] = OrderedDict()

    def is_shut(self, host: str, now: float) -> bool:
        until = self._shut.get(host)
        if until is None:
            return False
        if until > now:
            return True
        del self._shut[host]
        return False

    def strike(self, host: str, now: float) -> bool:
        """Note a refused request; True when the source is shut out from now on."""
        count, since = self._strikes.pop(host, (0, now))
        if now - since > self._rules.within_seconds:
            count, since = 0, now
        count += 1
        if count < self._rules.strikes:
            self._strikes[host] = (count, since)
            _bound(self._strikes)
            return False
        self._shut[host] = now + self._rules.shut_seconds
        _bound(self._shut)
        return True

    @property
    def any_shut(self) -> bool:
        return bool(self._shut)


def _bound(table: OrderedDict[str, tuple[int, float]] | OrderedDict[str, float]) -> None:
    while len(table) > MAX_SOURCES:
        table.popitem(last=False)
