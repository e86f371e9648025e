"""Reminders on real sockets: a real engine, real speech, real digits, and a real database."""

import asyncio
from array import array
from contextlib import asynccontextmanager

import pytest
from audio_files import tone_file
from calls.engine.world import LOOPBACK, RTP_PORTS, config, far_end

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.calls.engine import Engine
from twoleg.calls.leg_media import LegMedia
from twoleg.cli.simulator.numbers import Sounds
from twoleg.cli.simulator.process import Simulator
from twoleg.media import Codec, Decoder, EmbeddedPlane, dominant_tone, steady
from twoleg.prompts import PromptStudio, create_prompt
from twoleg.reminders.calls import reminder_call
from twoleg.settings import ListenAddress

MACHINE = "+12025550105"

ENOUGH_SAMPLES = 1600
"""Of what is loud: 200 ms."""


class Person:
    """Somebody who answers, says hello, and presses keys once it has been spoken to."""

    def __init__(self, *digits):
        self.digits = digits
        self.heard = asyncio.Event()
        self.first = array("h")
        self._decoder = Decoder(Codec.PCMU)

    async def behave(self, call, port):
        media = LegMedia(port, (Codec.PCMU,))
        call.ring()
        call.accept(media.answer_offer(call.offer))
        port.play(steady((300, 500), 200))
        port.tap(self._listen)
        for digit in self.digits:
            await self.heard.wait()
            self.heard.clear()
            port.send_digit(digit)

    def _listen(self, codec, payload):
        samples = self._decoder.decode(payload)
        if max(map(abs, samples)) > 2000:
            self.first.extend(samples)
            if len(self.first) >= ENOUGH_SAMPLES:
                self.heard.set()


@asynccontextmanager
async def clinic(practice, database_url):
    """An engine, and a phone at the trunk's other end."""
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        far_end(plane) as far,
        Engine.open(config(), database_url, reminder_call) as engine,
    ):
        await practice.execute(
            "UPDATE trunks SET host = %s, port = %s, codecs = '{PCMU}'", LOOPBACK, far.port
        )
        yield far, engine


async def settled(practice, visit):
    """Wait until the call's record is closed, and settle it."""
    async with asyncio.timeout(60):
        while await practice.calls():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await practice.tick()
    return (await practice.read(visit)).status


@pytest.mark.parametrize(
    ("digits", "status"),
    [("1", "confirmed"), ("2", "reschedule_requested"), ("*1", "confirmed"), ("99", "opted_out")],
)
async def test_a_contact_hears_speech_and_answers_with_digits(
    practice, database_url, digits, status
):
    await practice.plan(text="Hello. You have an appointment {date} at {time}.")
    visit = await practice.appointment()
    async with clinic(practice, database_url) as (far, _):
        far.behave = Person(*digits).behave
        await practice.make_due()
        await practice.tick()
        await far.next_call()
        assert await settled(practice, visit) == status
        await far.end()
    [(outcome, source)] = await practice.execute("SELECT outcome, source FROM calls")
    assert (outcome, source) == ("connected", "reminder")
    assert await practice.reminder(visit) == ("done", 1, None)


async def test_a_plans_prompt_is_heard_in_place_of_a_text(practice, database, database_url):
    data = tone_file("ogg", "libopus", 48_000, hertz=700, seconds=1.0)

    async def read():
        return data

    async with PromptStudio.open() as studio, database.connection() as connection:
        made = await studio.of_file(read)
        prompt = await create_prompt(connection, practice.account_id, "Dr. Gray", made)
    await practice.plan(text=None, prompt_id=prompt.id)
    visit = await practice.appointment()
    person = Person("1")
    async with clinic(practice, database_url) as (far, _):
        far.behave = person.behave
        await practice.make_due()
        await practice.tick()
        await far.next_call()
        assert await settled(practice, visit) == "confirmed"
        await far.end()
    assert dominant_tone(person.first[:1600], 8000, (350, 700, 1400)) == 700


async def test_a_busy_contact_is_tried_again_soon(practice, database_url):
    await practice.plan()
    visit = await practice.appointment()
    async with clinic(practice, database_url) as (far, _):

        async def busy(call, port):
            call.reject(486)

        far.behave = busy
        await practice.make_due()
        await practice.tick()
        await far.next_call()
        assert await settled(practice, visit) == "scheduled"
    assert await practice.reminder(visit) == ("planned", 1, None)


DESK = "+18552562099"


class Ear:
    """Waits for a tone in what a port receives, or for anything that is loud."""

    def __init__(self, port):
        self._decoder = Decoder(Codec.PCMU)
        self._loud = array("h")
        self._hears = asyncio.Event()
        self._wanted = None
        port.tap(self._listen)

    async def hears(self, hertz=None):
        self._loud, self._wanted = array("h"), hertz
        self._hears.clear()
        async with asyncio.timeout(30):
            await self._hears.wait()

    def _listen(self, codec, payload):
        samples = self._decoder.decode(payload)
        self._loud = self._loud + samples if max(map(abs, samples)) > 2000 else array("h")
        enough = self._loud[-ENOUGH_SAMPLES:]
        if len(enough) == ENOUGH_SAMPLES:
            tone = dominant_tone(enough, 8000, (350, 440, 700, 1400))
            if self._wanted is None or tone == self._wanted:
                self._hears.set()


class Wanting(Person):
    """Presses 3, hears that it is put through, and speaks (700 Hz) to who answers (440 Hz)."""

    def __init__(self):
        super().__init__("3")
        self.is_comforted = asyncio.Event()
        self.hears_staff = asyncio.Event()

    async def behave(self, call, port):
        await super().behave(call, port)
        ear = Ear(port)
        await ear.hears()
        self.is_comforted.set()
        port.play(steady((700,), 1000), loop=True)
        await ear.hears(440)
        self.hears_staff.set()


@pytest.fixture
async def desk(practice):
    """Have a front desk, rung over the trunk; gives its ring group."""
    [(group_id,)] = await practice.execute(
        """WITH u AS (INSERT INTO users (account_id, name, email, sip_username, phone_number)
             VALUES (%s, 'Desk', 'desk@example.com', 'desk', %s) RETURNING id),
           g AS (INSERT INTO ring_groups (account_id, name, screening)
             VALUES (%s, 'Desk', 'never') RETURNING id),
           m AS (INSERT INTO ring_group_members (ring_group_id, user_id, position)
             SELECT g.id, u.id, 0 FROM g, u)
           SELECT id FROM g""",
        practice.account_id,
        DESK,
        practice.account_id,
    )
    return group_id


async def test_who_wants_to_talk_is_comforted_and_joined_to_staff(practice, database_url, desk):
    await practice.plan(ring_group_id=desk)
    visit = await practice.appointment()
    person, staff_hears = Wanting(), asyncio.Event()
    async with clinic(practice, database_url) as (far, _):

        async def either(call, port):
            if DESK.removeprefix("+1") not in str(call.request.uri):
                await person.behave(call, port)
                return
            call.ring()
            await person.is_comforted.wait()
            await far.answer(call, port)
            await Ear(port).hears(700)
            staff_hears.set()

        far.behave = either
        await practice.make_due()
        await practice.tick()
        async with asyncio.timeout(60):
            await staff_hears.wait()
            await person.hears_staff.wait()
        (await far.next_call()).hang_up()
        assert await settled(practice, visit) == "reminded"
        assert [(await far.end()) is not None for _ in range(2)] == [True, True]
    assert await practice.execute("SELECT answer FROM reminder_attempts") == [("talked",)]
    assert await practice.execute("SELECT outcome, talk_seconds > 0 FROM calls") == [
        ("connected", True)
    ]


async def test_who_wants_to_talk_and_finds_nobody_free_is_told_so_and_called_back(
    practice, database_url, desk
):
    await practice.plan(ring_group_id=desk)
    visit = await practice.appointment()
    person = Wanting()
    async with clinic(practice, database_url) as (far, _):

        async def either(call, port):
            if DESK.removeprefix("+1") in str(call.request.uri):
                call.reject(486)
            else:
                await Person("3").behave(call, port)
                await Ear(port).hears()
                person.is_comforted.set()

        far.behave = either
        await practice.make_due()
        await practice.tick()
        async with asyncio.timeout(60):
            await person.is_comforted.wait()
        assert await settled(practice, visit) == "callback_requested"
    assert await practice.reminder(visit) == ("done", 1, None)


async def test_an_agents_call_is_put_through_while_a_morning_of_reminders_is_called(
    practice, database_url, desk
):
    await practice.plan()
    for _ in range(8):
        await practice.appointment()
    async with clinic(practice, database_url) as (far, _):
        far.behave = far.answer
        await practice.execute("UPDATE trunks SET max_calls = 6")
        await practice.make_due()
        await practice.tick()
        for _ in range(3):
            await far.next_call()
        await practice.execute(
            """INSERT INTO calls (account_id, source, ring_group_id, contact_id, line_id,
                 contact_phone_number, line_phone_number, sequence)
               SELECT l.account_id, 'api', %s, max(c.id), l.id, '+18181279999', l.phone_number, 1
               FROM lines l JOIN contacts c USING (account_id) GROUP BY l.id""",
            desk,
        )
        await practice.tick()
        await practice.execute("SELECT pg_notify(%s, '')", CALLS_CHANNEL)
        agent, contact = await far.next_call(), await far.next_call()
        assert DESK.removeprefix("+1") in str(agent.request.uri)
        assert "8181279999" in str(contact.request.uri)
        assert len(await practice.calls()) == 3, "reminders have half of the trunk, and no more"


async def test_a_reminder_that_waited_until_its_contact_opted_out_rings_nobody(
    practice, database_url
):
    await practice.plan()
    visit = await practice.appointment()
    await practice.make_due()
    await practice.tick()
    await practice.execute("UPDATE calls SET created_at = now() - interval '1 minute'")
    await practice.execute("UPDATE contacts SET opted_out = true")
    async with clinic(practice, database_url) as (far, _):
        assert await settled(practice, visit) == "scheduled"
        assert far.calls.empty()
    [(outcome, failure)] = await practice.execute("SELECT outcome, failure FROM calls")
    assert outcome == "blocked"
    assert failure.startswith("contact_opted_out: ")
    assert await practice.reminder(visit) == ("done", 0, "opted_out")


@asynccontextmanager
async def simulator_clinic(practice, database_url):
    """An engine, and the simulator at the trunk's other end."""
    async with (
        Simulator.open(ListenAddress(LOOPBACK, 0), RTP_PORTS) as simulator,
        Engine.open(config(), database_url, reminder_call) as engine,
    ):
        at = simulator.address
        await practice.execute(
            "UPDATE trunks SET host = %s, port = %s, codecs = '{PCMU}'", at.host, at.port
        )
        await practice.execute("UPDATE contacts SET phone_number = %s", MACHINE)
        yield engine


@pytest.mark.parametrize(
    ("plan", "status", "reminder"),
    [
        ({"voicemail": "hang_up"}, "scheduled", ("planned", 1, None)),
        (
            {"voicemail": "message", "voicemail_text": "Please call us."},
            "reminded",
            ("done", 1, None),
        ),
    ],
    ids=["hang up", "message"],
)
async def test_the_simulators_machine_gets_what_the_plan_says(
    practice, database_url, plan, status, reminder
):
    await practice.plan(**plan)
    visit = await practice.appointment()
    async with simulator_clinic(practice, database_url):
        await practice.make_due()
        await practice.tick()
        assert await settled(practice, visit) == status
    assert await practice.execute("SELECT outcome, ended_by, answered_by FROM calls") == [
        ("contact_voicemail", "system", "machine")
    ]
    assert await practice.reminder(visit) == reminder


class AnsweringMachine:
    """Greets, beeps, and counts what it is told: while it greets, and after its beep."""

    def __init__(self):
        self.greeting = Sounds.make().greeting
        self.records = False
        self.heard_while = 0
        self.recorded = 0
        self._decoder = Decoder(Codec.PCMU)

    async def behave(self, call, port):
        media = LegMedia(port, (Codec.PCMU,))
        call.ring()
        call.accept(media.answer_offer(call.offer))
        port.tap(self._listen)
        await port.play(self.greeting).finished()
        self.records = True

    def _listen(self, codec, payload):
        if max(map(abs, self._decoder.decode(payload))) > 2000:
            if self.records:
                self.recorded += 1
            else:
                self.heard_while += 1


async def test_a_machine_records_the_whole_message_and_nothing_is_said_into_its_greeting(
    practice, database_url
):
    await practice.plan(voicemail="message", voicemail_text="Please call us back, {name}.")
    visit = await practice.appointment()
    machine = AnsweringMachine()
    async with clinic(practice, database_url) as (far, _):
        far.behave = machine.behave
        await practice.make_due()
        await practice.tick()
        await far.next_call()
        assert await settled(practice, visit) == "reminded"
        await far.end()
    assert machine.heard_while == 0
    assert machine.recorded > 20
