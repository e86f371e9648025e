"""The asyncio shell of `twoleg.sip`: sockets, DNS, one timer, and legs to await."""

from twoleg.sip_io.config import Listen, PhoneConfig
from twoleg.sip_io.connections import ConnectionLimits
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.errors import AddressInUse, PhoneClosed, RequestFailed
from twoleg.sip_io.gatekeeper import Gatekeeper, KnownAddresses, ShutOutRules, Verdict
from twoleg.sip_io.incoming import IncomingCall
from twoleg.sip_io.leg import NO_CHANGES, Answer, Info, Leg, LegEnd, LegRefused, Session
from twoleg.sip_io.phone import Phone
from twoleg.sip_io.registrar import BindingStore
from twoleg.sip_io.registrations import registered
from twoleg.sip_io.resolver import ResolverConfig, UnresolvedHost
from twoleg.sip_io.tls import TlsConfig

__all__ = [
    "NO_CHANGES",
    "AddressInUse",
    "Answer",
    "BindingStore",
    "ConnectionLimits",
    "Counters",
    "Gatekeeper",
    "IncomingCall",
    "Info",
    "KnownAddresses",
    "Leg",
    "LegEnd",
    "LegRefused",
    "Listen",
    "Phone",
    "PhoneClosed",
    "PhoneConfig",
    "RequestFailed",
    "ResolverConfig",
    "Session",
    "ShutOutRules",
    "TlsConfig",
    "UnresolvedHost",
    "Verdict",
    "registered",
]
