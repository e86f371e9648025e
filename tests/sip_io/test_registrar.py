"""Phones that register with a phone, and are rung where they registered from."""

import asyncio
import time

import pytest
from sip_io.phones import (
    LOOPBACK,
    address_of,
    destination_of,
    established,
    phone,
    request_to,
)

from twoleg.sip import (
    Credentials,
    NameAddr,
    OutOfDialogRequest,
    RegistrationConfig,
    RegistrationState,
    SipUri,
    Transport,
    make_ha1s,
)
from twoleg.sip_io import KnownAddresses, registered

REALM = "twoleg"
ALICE = SipUri.parse("sip:alice@twoleg.example")


class Bindings:
    """A BindingStore in memory."""

    def __init__(self):
        self.users = {"alice": ()}
        self.changes = asyncio.Queue()
        self.asked = asyncio.Event()
        self.held = None
        self.problem = None

    async def ha1s(self, username):
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        if self.problem is not None:
            raise self.problem
        return make_ha1s(username, REALM, "secret") if username in self.users else {}

    async def update(self, username, change):
        result = change(self.users[username])
        self.users[username] = result.bindings
        if result.changed:
            self.changes.put_nowait(result.bindings)
        return result


@pytest.fixture
def bindings():
    return Bindings()


def as_alice(phone, registrar, transport=Transport.UDP, password="secret", **changes):
    ours = address_of(phone, transport)
    fields = {
        "registrar": SipUri.parse("sip:twoleg.example"),
        "address_of_record": ALICE,
        "contact": SipUri("sip", "alice", None, ours.host, ours.port),
        "credentials": Credentials("alice", password),
        "destinations": (destination_of(registrar, transport),),
        **changes,
    }
    return RegistrationConfig(**fields)


async def state(registration, changed, wanted):
    while registration.state is not wanted:
        changed.clear()
        await changed.wait()


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP, Transport.TLS])
async def test_a_phone_registers_is_rung_and_leaves(transport, bindings, tls):
    began = time.time()
    async with (
        phone(transport, bindings=bindings, tls=tls) as service,
        phone(transport, tls=tls) as alice,
    ):
        async with registered(alice, as_alice(alice, service, transport)) as registration:
            (binding,) = await bindings.changes.get()
            assert began + 599 <= binding.expires_at <= time.time() + 601
            target = SipUri.parse(binding.contact)
            async with established(service, alice, request_to(target, flow=binding.flow)):
                assert service.counters.connections_opened == 0
        assert await bindings.changes.get() == ()
        assert registration.state is RegistrationState.UNREGISTERED
        assert service.counters.registrations == 2


async def test_a_wrong_password_is_refused_and_counted(bindings):
    changed = asyncio.Event()
    async with (
        phone(bindings=bindings, gatekeeper=KnownAddresses()) as service,
        phone() as alice,
    ):
        config = as_alice(alice, service, password="wrong")
        async with registered(alice, config, lambda _: changed.set()) as registration:
            await state(registration, changed, RegistrationState.FAILED)
            assert registration.failure.status == 401
        assert service.counters.registrations_refused == 1
        assert bindings.users["alice"] == ()


async def test_a_user_may_register_nobody_else(bindings):
    async with phone(bindings=bindings) as service, phone() as alice:
        response = await alice.request(
            OutOfDialogRequest(
                method="REGISTER",
                target=SipUri.parse("sip:twoleg.example"),
                from_=NameAddr(ALICE),
                to=NameAddr(SipUri.parse("sip:bob@twoleg.example")),
                destinations=(destination_of(service),),
                headers=(("Contact", f"<sip:alice@{LOOPBACK}>"),),
                credentials=Credentials("alice", "secret"),
            )
        )
        assert response.status == 403
        assert bindings.changes.empty()


@pytest.mark.parametrize(
    ("problem", "status"), [(ConnectionError("away"), 503), (KeyError("bug"), 500)]
)
async def test_a_store_that_fails_is_no_refusal(problem, status, bindings):
    """A phone that is refused for good may stop trying."""
    changed = asyncio.Event()
    bindings.problem = problem
    async with (
        phone(bindings=bindings) as service,
        phone() as alice,
        registered(alice, as_alice(alice, service), lambda _: changed.set()) as registration,
    ):
        await state(registration, changed, RegistrationState.FAILED)
        assert registration.failure.status == status


async def test_leaving_while_a_register_is_on_its_way_deregisters_after_it(bindings):
    async with phone(bindings=bindings) as service, phone() as alice:
        async with registered(alice, as_alice(alice, service)):
            bindings.held = asyncio.Event()
            await bindings.asked.wait()
            asyncio.get_running_loop().call_soon(bindings.held.set)
        assert service.counters.registrations == 2
        assert bindings.users["alice"] == ()


async def test_a_registrar_that_is_away_is_tried_again():
    changed = asyncio.Event()
    async with phone(Transport.TCP) as alice:
        async with phone(Transport.TCP) as service:
            config = as_alice(alice, service, Transport.TCP, first_pause=0.01)
        async with registered(alice, config, lambda _: changed.set()) as registration:
            while registration.failures_in_a_row < 3:
                changed.clear()
                await changed.wait()
        assert alice.counters.connections_failed == 3


async def test_a_phone_without_a_registrar_says_so():
    async with phone() as alice, phone() as bob:
        response = await alice.request(
            OutOfDialogRequest(
                method="REGISTER",
                target=SipUri.parse("sip:twoleg.example"),
                from_=NameAddr(ALICE),
                to=NameAddr(ALICE),
                destinations=(destination_of(bob),),
            )
        )
        assert response.status == 405
