"""Whom a phone may hand its call over to, and who is reserved meanwhile."""

import asyncio

import pytest
from calls.engine.conftest import note
from waiting import until

from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.outcomes import Refusal
from twoleg.calls.planning import Surroundings
from twoleg.calls.transfer_targets import TransferTargets
from twoleg.calls.writer import Writer
from twoleg.directory.accounts import Screening
from twoleg.sip import Address

OURS = Address("192.0.2.10", 5060)


class Desk:
    """A call that alice talks on, and where its targets are found."""

    def __init__(self, office, database, engine_id, desk, alice):
        self.office = office
        self.database = database
        self.engine_id = engine_id
        self.desk = desk
        self.alice = alice
        self.claim = None

    async def begin(self):
        await self.office.queue(user_id=self.alice)
        [self.claim] = await self.office.claim(self.engine_id)
        here = Surroundings(self.engine_id, OURS, lambda: 0.5)
        self.targets = TransferTargets(self.claim, self.database, self.desk, here)

    async def find(self, wanted):
        async with asyncio.timeout(20):
            return await self.targets.find(wanted, self.alice)


@pytest.fixture
async def desk(office, database):
    await office.add_trunk()
    alice = await office.add_user("alice", phone_number="+41445550177")
    engine_id = await office.join()
    async with AgentDesk.open(database, engine_id) as agents:
        desk = Desk(office, database, engine_id, agents, alice)
        await desk.begin()
        yield desk


def dialled(together):
    [agent] = together.agents
    [endpoint] = agent.endpoints
    return endpoint.target.user


async def test_a_user_is_named_as_its_phone_registers_and_reserved_beside_the_agent(office, desk):
    bob = await office.add_user("bob", phone_number="+41445550178")
    target = await desk.find("Bob")
    together = await target.following()
    assert [agent.user_id for agent in together.agents] == [bob]
    assert dialled(together) == "+41445550178"
    assert await office.reserved() == {desk.alice: desk.claim.call_id, bob: desk.claim.call_id}
    assert await target.following() is None


async def talks(office, user_id):
    """Give a user a call at another engine."""
    await office.queue(user_id=user_id)
    [claim] = await office.claim(await office.join())
    return claim.call_id


async def test_a_user_who_has_another_call_is_busy(office, desk):
    bob = await office.add_user("bob", phone_number="+41445550178")
    other = await talks(office, bob)
    target = await desk.find("bob")
    assert await target.following() is None
    assert target.nobody is Refusal.BUSY
    assert (await office.reserved())[bob] == other


async def test_who_is_away_or_has_no_phone_is_not_busy_but_unreachable(office, desk):
    away = await office.add_user("bob", phone_number="+41445550178")
    await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", away)
    await office.add_user("carol", phone_number=None)
    for name in ("bob", "carol"):
        target = await desk.find(name)
        assert await target.following() is None
        assert target.nobody is Refusal.UNREACHABLE


async def test_a_group_of_which_all_have_other_calls_is_unreachable(office, desk):
    bob = await office.add_user("bob", phone_number="+41445550178")
    await talks(office, bob)
    await office.add_group(bob)
    await office.rows("UPDATE ring_groups SET name = 'sales'")
    target = await desk.find("sales")
    assert await target.following() is None
    assert target.nobody is Refusal.UNREACHABLE


async def test_a_group_is_named_and_does_not_ring_whoever_hands_over(office, desk):
    bob = await office.add_user("bob", phone_number="+41445550178")
    carol = await office.add_user("carol", phone_number="+41445550179")
    await office.add_group(desk.alice, bob, carol, strategy="in_order")
    await office.rows("UPDATE ring_groups SET name = 'After Sales'")
    target = await desk.find("after-sales")
    rung = [(await target.following()).agents[0].user_id for _ in range(2)]
    assert rung == [bob, carol]
    assert await target.following() is None
    assert desk.alice in await office.reserved()


async def test_giving_up_frees_whoever_was_rung_and_keeps_the_agent(office, desk):
    bob = await office.add_user("bob", phone_number="+41445550178")
    target = await desk.find("bob")
    await target.following()
    assert bob in await office.reserved()
    target.give_up()

    async def only_the_agent_is_reserved():
        return await office.reserved() == {desk.alice: desk.claim.call_id}

    await until(only_the_agent_is_reserved)


async def test_once_it_is_transferred_only_the_new_agent_is_reserved(office, database, desk):
    bob = await office.add_user("bob", phone_number="+41445550178")
    await (await desk.find("bob")).following()
    call_id = desk.claim.call_id
    async with Writer.open(database, desk.engine_id) as writer:
        done = note(call_id, office.account_id, 2, "call.transferred", {"user_id": bob, "leg": 3})
        await writer.store(done)
    assert await office.reserved() == {bob: call_id}


@pytest.mark.parametrize("to_a_number", [False, True])
async def test_who_has_handed_over_has_had_its_call_and_its_wrap_up_time(
    office, database, desk, to_a_number
):
    bob = await office.add_user("bob", phone_number="+41445550178")
    await (await desk.find("bob")).following()
    await office.rows("UPDATE reservations SET wrap_up_seconds = 60")
    taken_by = None if to_a_number else bob
    data = {"user_id": taken_by, "leg": 3}
    done = note(desk.claim.call_id, office.account_id, 2, "call.transferred", data)
    async with Writer.open(database, desk.engine_id) as writer:
        await writer.store(done._replace(handed_over_by=desk.alice))
    idle = "SELECT id, last_call_ended_at, extract(epoch FROM wrap_up_until - %s)::int FROM users"
    assert sorted(await office.rows(idle, done.event.at)) == [
        (desk.alice, done.event.at, 60),
        (bob, None, None),
    ]
    assert desk.alice not in await office.reserved()


@pytest.mark.parametrize("wanted", ["+41445550190", "044 555 01 90", "0041445550190"])
async def test_anything_else_that_is_a_number_is_dialled_and_confirms_nothing(desk, wanted):
    target = await desk.find(wanted)
    together = await target.following()
    assert dialled(together) == "+41445550190"
    assert together.agents[0].screening is Screening.NEVER
    assert await target.following() is None
    target.release(1)
    target.give_up()


async def test_an_extension_that_is_a_users_name_is_that_user(office, desk):
    bob = await office.add_user("201", phone_number="+41445550178")
    together = await (await desk.find("201")).following()
    assert together.agents[0].user_id == bob


@pytest.mark.parametrize(
    "wanted",
    [
        "nobody",
        "",
        "alice",
        "112",
        "+41900555010",
        "12",
        "x" * 500,
        "044 555 01 00",
        "+41445550123",
        "\x00",
        "\ud800",
    ],
)
async def test_who_is_not_there_and_what_may_not_be_dialled_is_nobody(desk, wanted):
    assert await desk.find(wanted) is None


async def test_a_country_that_the_account_does_not_call_is_not_dialled_either(office, desk):
    await office.rows("UPDATE accounts SET allowed_countries = '{DE}'")
    assert await desk.find("+41445550190") is None


async def test_a_contact_that_has_opted_out_is_not_dialled_for_a_transfer_either(office, desk):
    number = "+41445550190"
    await office.insert("contacts", account_id=office.account_id, phone_number=number)
    await office.rows(
        "INSERT INTO contact_phone_numbers (account_id, contact_id, phone_number)"
        " SELECT account_id, id, phone_number FROM contacts"
    )
    assert dialled(await (await desk.find("044 555 01 90")).following()) == number

    await office.rows("UPDATE contacts SET opted_out = true")
    assert await desk.find("044 555 01 90") is None


async def test_who_has_opted_out_with_another_account_is_dialled(office, desk):
    other = await office.insert("accounts", name="Other")
    number = "+41445550190"
    await office.insert("contacts", account_id=other, phone_number=number, opted_out=True)
    await office.rows(
        "INSERT INTO contact_phone_numbers (account_id, contact_id, phone_number)"
        " SELECT account_id, id, phone_number FROM contacts"
    )
    assert dialled(await (await desk.find(number)).following()) == number


async def test_users_of_other_accounts_are_nobody(office, desk):
    other = await office.insert("accounts", name="Other")
    await office.insert(
        "users", account_id=other, name="Eve", email="eve@example.test", sip_username="eve"
    )
    assert await desk.find("eve") is None
