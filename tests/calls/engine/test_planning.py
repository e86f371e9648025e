"""From the directory's rows to whom a call rings, and what each side sees."""

import pytest
from calls.engine.conftest import CONTACT_NUMBER, LINE_NUMBER

from twoleg.calls.plan import RESPONSE_SECONDS
from twoleg.calls.planning import Surroundings, plan_of
from twoleg.calls.trunk_health import TrunkHealth
from twoleg.media import Codec
from twoleg.sip import Address, Flow, RefusalCause, Transport, flow_to_json
from twoleg.sip_io import LegRefused

OURS = Address("192.0.2.10", 5060)
ALICE_FLOW = Flow(Transport.UDP, OURS, Address("192.0.2.7", 40000), None)


class Planner:
    def __init__(self, office):
        self.office = office
        self.engine_id = None

    async def plan(self, chance=lambda: 0.5, health=None, **columns):
        """Queue a call, claim it, and plan it."""
        await self.office.queue(**columns)
        if self.engine_id is None:
            self.engine_id = await self.office.join()
        [claim] = await self.office.claim(self.engine_id)
        here = Surroundings(self.engine_id, OURS, chance, health or TrunkHealth())
        return plan_of(claim, here)


@pytest.fixture
async def planner(office):
    return Planner(office)


@pytest.fixture
async def trunk_id(office):
    return await office.add_trunk()


@pytest.fixture
async def alice(office):
    return await office.add_user("alice", phone_number="+41445550177")


def only_endpoint(plan):
    [ring_round] = plan.rounds
    [agent] = ring_round.agents
    [endpoint] = agent.endpoints
    return endpoint


class TestTheAgent:
    async def test_a_registered_phone_is_rung_by_the_way_it_registered(
        self, office, planner, trunk_id, alice
    ):
        flow = flow_to_json(ALICE_FLOW)
        await office.register(alice, "sip:alice@10.0.0.5:5060", flow=flow)
        endpoint = only_endpoint(await planner.plan(user_id=alice))
        assert str(endpoint.target) == "sip:alice@10.0.0.5:5060"
        assert endpoint.flow == ALICE_FLOW
        assert endpoint.trunk_id is None
        assert endpoint.codecs[0] is Codec.PCMU

    @pytest.mark.parametrize(
        ("transport", "contact", "path", "rung"),
        [
            (Transport.TLS, "sip:alice@10.0.0.5:5060", [], True),
            (Transport.TCP, "sip:alice@10.0.0.5:5060;transport=tls", [], False),
            (Transport.UDP, "sips:alice@10.0.0.5", [], False),
            (Transport.UDP, "sip:alice@10.0.0.5", ["<sip:192.0.2.3;transport=tls;lr>"], True),
            (Transport.TLS, "sips:alice@10.0.0.5", ["<sip:192.0.2.3;transport=tcp;lr>"], False),
            (None, "sips:alice@10.0.0.5", [], True),
            (None, "sip:alice@10.0.0.5", [], False),
        ],
    )
    async def test_keys_of_its_audio_go_over_tls_or_it_is_not_rung(
        self, office, planner, trunk_id, transport, contact, path, rung
    ):
        bob = await office.add_user("bob", media_encryption="sdes", phone_number=None)
        flow = transport and flow_to_json(Flow(transport, OURS, ALICE_FLOW.remote, 1))
        planner.engine_id = await office.join()
        await office.register(bob, contact, flow=flow, path=path, engine_id=planner.engine_id)
        plan = await planner.plan(user_id=bob)
        assert bool(plan.rounds) is rung
        if rung:
            assert only_endpoint(plan).encrypted

    @pytest.mark.parametrize(("ours", "path", "rung"), [(1, 0, 1), (0, 0, 0), (0, 1, 1)])
    async def test_a_page_is_rung_by_its_connection_or_by_a_proxy_that_has_it(
        self, office, planner, trunk_id, ours, path, rung
    ):
        bob = await office.add_user("bob", phone_number=None)
        planner.engine_id, other = await office.join(), await office.join()
        flow = Flow(Transport.WSS, OURS, ALICE_FLOW.remote, 1)
        await office.register(
            bob,
            "sip:x1@y2.invalid;transport=ws",
            flow=flow_to_json(flow),
            path=["<sip:192.0.2.3;lr>"] * path,
            engine_id=planner.engine_id if ours else other,
        )
        plan = await planner.plan(user_id=bob)
        assert bool(plan.rounds) is bool(rung)
        if rung:
            assert only_endpoint(plan).flow == (None if path else flow)
            assert only_endpoint(plan).is_browser

    @pytest.mark.parametrize(
        ("transport", "contact"),
        [(Transport.WS, "sip:x1@y2.invalid"), (Transport.WSS, "sip:x1@y2.invalid;transport=ws")],
    )
    async def test_a_phone_that_came_by_websocket_is_a_browser_whatever_its_contact_says(
        self, office, planner, trunk_id, alice, transport, contact
    ):
        planner.engine_id = await office.join()
        flow = flow_to_json(Flow(transport, OURS, ALICE_FLOW.remote, 1))
        await office.register(alice, contact, flow=flow, engine_id=planner.engine_id)
        assert only_endpoint(await planner.plan(user_id=alice)).is_browser

    async def test_it_shows_the_contact(self, office, planner, trunk_id, alice):
        await office.register(alice, "sip:alice@192.0.2.7")
        contact_id = await office.insert(
            "contacts", account_id=office.account_id, name="Zoë", phone_number=CONTACT_NUMBER
        )
        endpoint = only_endpoint(await planner.plan(user_id=alice, contact_id=contact_id))
        assert endpoint.from_.display_name == "Zoë"
        assert str(endpoint.from_.uri) == f"sip:{CONTACT_NUMBER}@{OURS.host}"

    async def test_without_a_name_it_shows_the_number(self, office, planner, trunk_id, alice):
        await office.register(alice, "sip:alice@192.0.2.7")
        endpoint = only_endpoint(await planner.plan(user_id=alice))
        assert endpoint.from_.display_name == CONTACT_NUMBER

    async def test_all_registered_phones_ring_together(self, office, planner, trunk_id, alice):
        for port in (5060, 5061):
            await office.register(alice, f"sip:alice@192.0.2.7:{port}")
        [ring_round] = (await planner.plan(user_id=alice)).rounds
        [agent] = ring_round.agents
        assert {endpoint.target.port for endpoint in agent.endpoints} == {5060, 5061}
        assert agent.user_id == alice

    async def test_a_phone_behind_a_proxy_is_reached_through_it(
        self, office, planner, trunk_id, alice
    ):
        path = ["<sip:192.0.2.99;lr>"]
        flow = flow_to_json(ALICE_FLOW)
        await office.register(alice, "sip:alice@10.0.0.5", path=path, flow=flow)
        endpoint = only_endpoint(await planner.plan(user_id=alice))
        assert [str(route) for route in endpoint.routes] == path
        assert endpoint.flow is None

    async def test_a_connection_to_another_engine_is_of_no_use(
        self, office, planner, trunk_id, alice
    ):
        flow = flow_to_json(Flow(Transport.TCP, OURS, ALICE_FLOW.remote, 7))
        contact = "sip:alice@192.0.2.7;transport=tcp"
        await office.register(alice, contact, flow=flow, engine_id=4711)
        assert only_endpoint(await planner.plan(user_id=alice)).flow is None

    async def test_an_expired_registration_counts_for_nothing(
        self, office, planner, trunk_id, alice
    ):
        await office.register(alice, "sip:alice@192.0.2.7", seconds=-1)
        assert only_endpoint(await planner.plan(user_id=alice)).trunk_id == trunk_id

    async def test_a_contact_that_cannot_be_read_counts_for_nothing(
        self, office, planner, trunk_id, alice
    ):
        await office.register(alice, "not a uri")
        assert only_endpoint(await planner.plan(user_id=alice)).trunk_id == trunk_id

    async def test_without_a_phone_the_own_number_is_rung_over_the_trunk(
        self, office, planner, trunk_id, alice
    ):
        endpoint = only_endpoint(await planner.plan(user_id=alice))
        assert str(endpoint.target) == "sip:+41445550177@192.0.2.1:5060"
        assert str(endpoint.from_.uri) == f"sip:{LINE_NUMBER}@{OURS.host}"
        assert endpoint.trunk_id == trunk_id

    async def test_the_number_asked_for_goes_before_the_phones(
        self, office, planner, trunk_id, alice
    ):
        await office.register(alice, "sip:alice@192.0.2.7")
        endpoint = only_endpoint(
            await planner.plan(user_id=alice, user_phone_number="+41445550188")
        )
        assert endpoint.target.user == "+41445550188"
        assert endpoint.trunk_id == trunk_id

    async def test_who_has_neither_phone_nor_number_cannot_be_rung(self, office, planner, trunk_id):
        plan = await planner.plan(user_id=await office.add_user("nobody", phone_number=None))
        assert plan.rounds == ()
        assert not plan.agents_busy

    @pytest.mark.parametrize(
        "number", ["+493012345678", "+41900555010"], ids=["another country", "premium rate"]
    )
    async def test_a_number_that_the_account_may_not_call_is_no_agents_either(
        self, office, planner, trunk_id, number
    ):
        await office.rows("UPDATE accounts SET allowed_countries = '{CH}'")
        bob = await office.add_user("bob", phone_number=number)
        assert (await planner.plan(user_id=bob)).rounds == ()
        alice = await office.add_user("alice")
        plan = await planner.plan(user_id=alice, user_phone_number=number)
        assert plan.rounds == ()
        await office.register(bob, "sip:bob@192.0.2.8")
        await office.rows("DELETE FROM reservations")
        assert only_endpoint(await planner.plan(user_id=bob)).trunk_id is None

    async def test_the_accounts_own_line_is_no_agents_number(self, office, planner, trunk_id):
        bob = await office.add_user("bob", phone_number=LINE_NUMBER)
        assert (await planner.plan(user_id=bob)).rounds == ()

    async def test_the_contacts_number_is_no_agents_number(self, office, planner, trunk_id):
        bob = await office.add_user("bob", phone_number=CONTACT_NUMBER)
        carol = await office.add_user("carol")
        group = await office.add_group(bob, carol)
        [together] = (await planner.plan(ring_group_id=group)).rounds
        assert [agent.user_id for agent in together.agents] == [carol]
        assert (await planner.plan(user_phone_number=CONTACT_NUMBER, user_id=bob)).rounds == ()

    async def test_who_is_gone_is_not_rung(self, office, planner, trunk_id, alice):
        await office.register(alice, "sip:alice@192.0.2.7")
        await office.rows("UPDATE users SET deleted_at = now()")
        assert (await planner.plan(user_id=alice)).rounds == ()

    async def test_who_has_another_call_is_busy(self, office, planner, trunk_id, alice):
        await planner.plan(user_id=alice)
        plan = await planner.plan(user_id=alice)
        assert (plan.rounds, plan.agents_busy) == ((), True)


class TestRingGroups:
    @pytest.fixture
    async def users(self, office, trunk_id):
        return [
            await office.add_user(name, phone_number=f"+4144555020{number}")
            for number, name in enumerate(("alice", "bob", "carol"))
        ]

    def rung(self, plan):
        return [[agent.user_id for agent in each.agents] for each in plan.rounds]

    async def test_all_ring_together(self, office, planner, users):
        group = await office.add_group(*users, strategy="ring_all", ring_seconds=17)
        plan = await planner.plan(ring_group_id=group)
        assert self.rung(plan) == [users]
        assert plan.rounds[0].ring_seconds == 17
        assert plan.ring_group_id == group

    async def test_in_order_one_after_another(self, office, planner, users):
        group = await office.add_group(*reversed(users), strategy="in_order")
        plan = await planner.plan(ring_group_id=group)
        assert self.rung(plan) == [[users[2]]]

    async def test_members_who_are_away_or_gone_are_not_rung(self, office, planner, users):
        await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", users[0])
        await office.rows("UPDATE users SET deleted_at = now() WHERE id = %s", users[1])
        group = await office.add_group(*users)
        assert self.rung(await planner.plan(ring_group_id=group)) == [[users[2]]]

    async def test_a_group_without_members_rings_nobody(self, office, planner, trunk_id):
        plan = await planner.plan(ring_group_id=await office.add_group())
        assert plan.rounds == ()


class TestTheContact:
    async def test_it_is_rung_over_the_lines_trunk_with_the_lines_number(self, planner, trunk_id):
        [leg] = (await planner.plan()).contact.trunks
        assert str(leg.target) == f"sip:{CONTACT_NUMBER}@192.0.2.1:5060"
        assert str(leg.from_.uri) == f"sip:{LINE_NUMBER}@{OURS.host}"
        [destination] = leg.destinations
        assert (destination.host, destination.port) == ("192.0.2.1", 5060)
        assert leg.credentials is None
        assert leg.headers == ()

    async def test_the_tones_are_those_of_the_lines_country(self, planner, trunk_id):
        assert (await planner.plan()).contact.country == "CH"

    @pytest.mark.parametrize(
        ("account", "group", "user", "asked", "holds"),
        [
            ("trunk_only", None, None, None, "trunk_only"),
            ("always", None, None, None, "always"),
            ("always", "trunk_only", None, None, "trunk_only"),
            ("always", "trunk_only", "never", None, "never"),
            ("never", None, "always", None, "always"),
            ("never", "never", "never", True, "always"),
            ("always", "always", "always", False, "never"),
        ],
    )
    async def test_the_nearest_policy_of_screening_holds(
        self, office, planner, trunk_id, account, group, user, asked, holds
    ):
        update = "UPDATE accounts SET screening = %s WHERE id = %s"
        await office.rows(update, account, office.account_id)
        member = await office.add_user("bob", phone_number="+41445550178", screening=user)
        group_id = await office.add_group(member, screening=group)
        options = {} if asked is None else {"screen": asked}
        plan = await planner.plan(ring_group_id=group_id, options=options)
        [agent] = plan.rounds[0].agents
        assert agent.screening == holds

    async def test_the_policy_of_a_group_is_not_that_of_a_user_who_was_asked_for(
        self, office, planner, trunk_id, alice
    ):
        group_id = await office.add_group(
            await office.add_user("bob", phone_number="+41445550178"), screening="never"
        )
        plan = await planner.plan(user_id=alice, ring_group_id=group_id)
        assert [each.agents[0].screening for each in plan.rounds] == ["trunk_only"]

    async def test_options_say_who_is_first_and_what_is_whispered(self, office, planner, trunk_id):
        contact_id = await office.insert(
            "contacts",
            account_id=office.account_id,
            phone_number=CONTACT_NUMBER,
            language="fr",
        )
        options = {"first": "contact", "whisper_prompt_id": 4}
        plan = await planner.plan(options=options, contact_id=contact_id)
        assert (plan.contact_first, plan.whisper_prompt_id) == (True, 4)
        assert plan.contact.language == "fr"

    async def test_options_say_how_long(self, planner, trunk_id):
        options = {"ring_seconds": {"agent": 5, "contact": 9}, "max_seconds": 77}
        plan = await planner.plan(options=options)
        assert (plan.contact.ring_seconds, plan.max_seconds) == (9, 77)

    async def test_trunks_are_tried_by_priority(self, office, planner):
        second = await office.add_trunk(priority=2)
        first = await office.add_trunk(priority=1)
        plan = await planner.plan()
        assert [leg.trunk_id for leg in plan.contact.trunks] == [first, second]

    async def test_trunks_of_one_priority_share_by_weight(self, office, planner):
        light = await office.add_trunk(weight=1)
        heavy = await office.add_trunk(weight=100)
        chances = iter([0.5, 0.5])
        plan = await planner.plan(chance=lambda: next(chances))
        assert [leg.trunk_id for leg in plan.contact.trunks] == [heavy, light]
        chances = iter([0.999, 0.0])
        plan = await planner.plan(chance=lambda: next(chances))
        assert [leg.trunk_id for leg in plan.contact.trunks] == [light, heavy]

    async def test_a_trunk_that_fails_at_the_moment_comes_last(self, office, planner):
        first = await office.add_trunk(priority=1)
        second = await office.add_trunk(priority=2)
        health = TrunkHealth()
        health.refused(first, LegRefused(408, "", RefusalCause.TIMEOUT))
        plan = await planner.plan(health=health)
        assert [leg.trunk_id for leg in plan.contact.trunks] == [second, first]

    async def test_a_trunk_with_another_behind_it_is_not_waited_for_long(self, office, planner):
        await office.add_trunk(priority=1)
        await office.add_trunk(priority=2)
        plan = await planner.plan()
        assert [leg.response_seconds for leg in plan.contact.trunks] == [RESPONSE_SECONDS, None]

    async def test_an_agent_over_a_trunk_has_the_next_one_behind(self, office, planner, alice):
        first = await office.add_trunk(max_calls=1)
        second = await office.add_trunk(priority=1, calls_per_second=1)
        third = await office.add_trunk(priority=2)
        fourth = await office.add_trunk(priority=3)
        plan = await planner.plan(user_id=alice)
        ways = list(only_endpoint(plan).ways())
        assert [(way.trunk_id, way.is_limited) for way in ways] == [
            (first, True),
            (second, True),
            (third, False),
            (fourth, False),
        ]
        assert [way.response_seconds for way in ways] == [RESPONSE_SECONDS] * 3 + [None]
        assert [leg.is_limited for leg in plan.contact.trunks] == [True, True, False, False]

    async def test_a_trunk_that_is_gone_is_not_used(self, office, planner, trunk_id):
        await office.rows("UPDATE trunks SET deleted_at = now()")
        assert (await planner.plan()).contact.trunks == ()

    async def test_a_trunk_that_was_changed_is_dialled_as_it_is_now(
        self, office, planner, trunk_id
    ):
        [before] = (await planner.plan()).contact.trunks
        await office.rows("UPDATE trunks SET host = '192.0.2.2', codecs = '{PCMA}'")
        [leg] = (await planner.plan()).contact.trunks
        assert (before.target.host, leg.target.host) == ("192.0.2.1", "192.0.2.2")
        assert leg.codecs == (Codec.PCMA,)

    @pytest.mark.parametrize(
        ("number_format", "number", "dialled"),
        [
            ("e164", "+41445550123", "+41445550123"),
            ("e164_no_plus", "+41445550123", "41445550123"),
            ("national", "+41445550123", "0445550123"),
            ("national", "+18181276543", "18181276543"),
        ],
    )
    async def test_numbers_are_written_as_the_trunk_wants_them(
        self, office, planner, number_format, number, dialled
    ):
        await office.add_trunk(number_format=number_format)
        [leg] = (await planner.plan(contact_phone_number=number)).contact.trunks
        assert leg.target.user == dialled

    async def test_a_prefix_stands_before_what_is_dialled_and_not_before_the_caller_id(
        self, office, planner
    ):
        await office.add_trunk(number_format="e164_no_plus", dial_prefix="0#")
        [leg] = (await planner.plan(contact_phone_number="+41445550123")).contact.trunks
        assert (leg.target.user, leg.to.uri.user) == ("0#41445550123", "0#41445550123")
        assert leg.from_.uri.user == LINE_NUMBER.removeprefix("+")

    async def test_credentials_go_with_the_leg_and_not_into_its_text(self, office, planner):
        await office.add_trunk(username="line", password="secret")
        [leg] = (await planner.plan()).contact.trunks
        assert leg.credentials.username == "line"
        assert "secret" not in repr(leg)

    async def test_a_domain_of_the_trunks_own_is_put_into_from(self, office, planner):
        await office.add_trunk(from_domain="carrier.example")
        [leg] = (await planner.plan()).contact.trunks
        assert leg.from_.uri.host == "carrier.example"

    @pytest.mark.parametrize(
        ("mode", "name"),
        [
            ("p_asserted_identity", "P-Asserted-Identity"),
            ("remote_party_id", "Remote-Party-ID"),
        ],
    )
    async def test_the_caller_id_is_where_the_trunk_wants_it(self, office, planner, mode, name):
        await office.add_trunk(caller_id_mode=mode, username="line", password="secret")
        [leg] = (await planner.plan()).contact.trunks
        [(header, value)] = leg.headers
        assert header == name
        assert LINE_NUMBER in value
        assert leg.from_.uri.user == "line"

    @pytest.mark.parametrize(
        ("mode", "from_", "headers"),
        [
            ("from", LINE_NUMBER, {"Privacy": "user;id"}),
            (
                "p_asserted_identity",
                "anonymous",
                {"P-Asserted-Identity": f"<sip:{LINE_NUMBER}@192.0.2.1>", "Privacy": "id"},
            ),
            (
                "remote_party_id",
                "anonymous",
                {
                    "Remote-Party-ID": f"<sip:{LINE_NUMBER}@192.0.2.1>;party=calling;screen=yes"
                    ";privacy=full",
                    "Privacy": "id",
                },
            ),
        ],
    )
    async def test_a_withheld_number_is_told_to_the_carrier_alone(
        self, office, planner, mode, from_, headers
    ):
        await office.add_trunk(
            caller_id_mode=mode, privacy="id", username="line", password="secret"
        )
        [leg] = (await planner.plan()).contact.trunks
        assert leg.from_.uri.user == from_
        assert dict(leg.headers) == headers

    async def test_transport_and_codecs_are_the_trunks(self, office, planner):
        await office.add_trunk(
            transport="tls", port=None, host="sip.carrier.example", codecs=["PCMA"]
        )
        [leg] = (await planner.plan()).contact.trunks
        [destination] = leg.destinations
        assert destination.transport is Transport.TLS
        assert (destination.port, destination.domain) == (None, "sip.carrier.example")
        assert leg.target.transport is Transport.TLS
        assert leg.codecs == (Codec.PCMA,)

    @pytest.mark.parametrize("encryption", ["none", "sdes"])
    async def test_its_audio_is_encrypted_where_the_trunks_is(self, office, planner, encryption):
        await office.add_trunk(transport="tls", media_encryption=encryption)
        [leg] = (await planner.plan()).contact.trunks
        assert leg.encrypted is (encryption == "sdes")

    async def test_without_a_trunk_it_cannot_be_rung(self, planner):
        assert (await planner.plan()).contact.trunks == ()
