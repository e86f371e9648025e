"""SIPp as the agent's phone and as the contact: a foreign stack at both ends of a call."""

from contextlib import AsyncExitStack

import pytest
from calls.engine.world import LOOPBACK, World, config
from foreign_peers.ports import free_port
from peers.sipp import Sipp

from twoleg.calls.engine import Engine
from twoleg.calls.hang_up import request_hang_up

pytestmark = pytest.mark.peer

ONE_SECOND = {"ring_seconds": {"agent": 1, "contact": 1}}


@pytest.fixture
def sipp_call(office, database, database_url, tmp_path):
    """Have one call between two scenarios, each played to its end; give the call's id and ending.

    Without a scenario for the contact nobody is there. With `until`, an event, the API hangs up
    once it has come. `moved_to` is played by whom the contact's scenario redirects to.
    """

    async def run(agent, contact, until=None, options=None, moved_to=None):
        async with AsyncExitStack() as peers:
            phone = await peers.enter_async_context(Sipp.run(agent, tmp_path))
            port, keys = free_port(), {}
            if moved_to is not None:
                home = await peers.enter_async_context(Sipp.run(moved_to, tmp_path))
                keys = {"moved_to": f"contact@{LOOPBACK}:{home.port}"}
            if contact is not None:
                # The trunk is asked whether it is there, before it is called.
                carrier = await peers.enter_async_context(
                    Sipp.run(contact, tmp_path, options=1, keys=keys)
                )
                port = carrier.port
            login = {"username": "twoleg", "password": "secret"}
            await office.add_trunk(host=LOOPBACK, port=port, **login)
            alice = await office.add_user("alice", phone_number=None)
            await office.register(alice, f"sip:alice@{LOOPBACK}:{phone.port}")
            world = World(office, None, None, alice)
            async with Engine.open(config(), database_url):
                if contact is not None:
                    await world.until("reachable", "SELECT state FROM trunks")
                call_id = await office.queue(user_id=alice, options=options or {})
                if until is not None:
                    seen = "SELECT count(*) FROM call_events WHERE call_id = %s AND type = %s"
                    await world.until(1, seen, call_id, until)
                    async with database.connection() as connection:
                        await request_hang_up(connection, office.account_id, call_id)
                return call_id, await world.ended(call_id)

    return run


@pytest.mark.parametrize(
    ("agent", "ending"),
    [
        ("busy", ("agent_busy", "agent")),
        ("decline", ("agent_declined", "agent")),
        ("no_answer", ("agent_no_answer", "system")),
        ("answer_crossing_cancel", ("agent_no_answer", "system")),
    ],
)
async def test_an_agent_who_does_not_take_the_call(sipp_call, agent, ending):
    _, ended = await sipp_call(agent, None, options=ONE_SECOND)
    assert ended == ending


@pytest.mark.parametrize(
    ("contact", "ending"),
    [
        ("bye_from_callee", ("connected", "contact")),
        ("busy", ("contact_busy", "contact")),
        ("decline", ("contact_declined", "contact")),
        ("no_answer", ("contact_no_answer", "system")),
        ("answer_crossing_cancel", ("contact_no_answer", "system")),
    ],
)
async def test_a_contact_who_ends_the_call(sipp_call, contact, ending):
    _, ended = await sipp_call("answer", contact, options=ONE_SECOND)
    assert ended == ending


@pytest.mark.parametrize("contact", ["answer", "early_media_183", "reliable_183", "auth_407"])
async def test_a_contact_who_is_hung_up_on(sipp_call, office, contact):
    call_id, ended = await sipp_call("answer", contact, until="call.bridged")
    assert ended == ("connected", "api")
    legs = "SELECT role, sip_status, codec IS NOT NULL FROM legs WHERE call_id = %s ORDER BY 1"
    assert await office.rows(legs, call_id) == [("agent", 200, True), ("contact", 200, True)]


@pytest.mark.parametrize(("agent", "contact"), [("reinvite", "answer"), ("answer", "reinvite")])
async def test_either_may_hold(sipp_call, office, agent, contact):
    call_id, ended = await sipp_call(agent, contact, until="call.held")
    assert ended == ("connected", "api")
    held = "SELECT data->>'role' FROM call_events WHERE call_id = %s AND type = 'call.held'"
    role = "agent" if agent == "reinvite" else "contact"
    assert await office.rows(held, call_id) == [(role,)]


async def test_a_contact_that_has_moved_is_called_where_it_is_now(sipp_call, office):
    call_id, ended = await sipp_call("answer", "redirect_302", moved_to="bye_from_callee")
    assert ended == ("connected", "contact")
    contact = "SELECT sip_status FROM legs WHERE call_id = %s AND role = 'contact'"
    assert await office.rows(contact, call_id) == [(200,)]
