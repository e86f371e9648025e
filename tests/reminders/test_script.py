"""What a reminder call does with whoever answers, in virtual time."""

from dataclasses import replace
from datetime import datetime

import pytest
from calls.in_memory import (
    ANSWERS,
    DEAD,
    RINGS_FOR_EVER,
    Answers,
    FallsSilent,
    HangsUp,
    MemoryPrompts,
    Presses,
    Refuses,
    Rings,
    Says,
    Spoken,
    call_plan,
    one_after_another,
    prepare,
    user,
)
from calls.virtual_time import run
from media.machines.sounds import silence, tone, voice

from twoleg.calls.agents import NobodyElse
from twoleg.calls.story import SILENT_SECONDS
from twoleg.reminders.answers import Answer
from twoleg.reminders.reminder import Reminder
from twoleg.reminders.script import REPEATS, TRIES, ReminderCall, ReminderGone
from twoleg.reminders.wording import Sentence, said
from twoleg.speech import SpeechFailed

# The contact answers at 2 s; nobody says hello, so that the message begins at 5 s and lasts 3 s,
# what the digits do included.
ANSWERED = (Rings(), Answers(2.0))
MESSAGE = "Hello Eva."
LEFT = "Please call us back."
CHOICES = "The digits."


def reminder(**fields):
    given = {
        "id": 1,
        "appointment_id": 2,
        "text": MESSAGE,
        "voicemail": "hang_up",
        "voicemail_text": None,
        "voicemail_prompt_id": None,
        "change_means": "reschedule",
        "ring_group_id": 5,
        "language": "en",
        "contact_name": "Eva",
        "wall_starts_at": datetime(2026, 6, 10, 10),
        "place": None,
        "staff": None,
    }
    return _Reminder(**given | fields)


class _Reminder(Reminder):
    @property
    def message(self):
        return self.text

    @property
    def choices(self):
        return CHOICES


class Short(Spoken):
    """Audio that is over at once."""

    seconds = 0.0


class Desk:
    """Has every text, and remembers the answers."""

    def __init__(self, of):
        self.of = of
        self.answers = []
        self.texts = self

    async def reminder(self, reminder_id):
        return self.of

    async def audio(self, text, language):
        return Short(text) if text == CHOICES else Spoken(text)

    async def answered(self, call_id, answer):
        self.answers.append(answer)


class Staff(NobodyElse):
    """Agents that are rung when they are asked for."""

    def __init__(self, *rounds):
        self.rounds = list(rounds)

    async def following(self):
        return self.rounds.pop(0) if self.rounds else None


@pytest.fixture
def remind():
    """Tell a reminder call to its end; gives what was told, and the desk."""

    def remind(*contact, staff=(), agents=None, seed=None, prompts=None, **fields):
        desk = Desk(reminder(**fields))

        def make(plan, equipment, writer, **options):
            options["agents"] = Staff(*staff)
            return ReminderCall(1, desk, plan, equipment, writer, **options)

        async def main(loop):
            plan = replace(call_plan(), rounds=())
            told = prepare({"contact": contact} | (agents or {}), plan, make=make, prompts=prompts)
            await told.story.run()
            told.ended_at = loop.time()
            told.assert_nothing_is_left()
            return told

        return run(main, seed=seed), desk

    return remind


def heard(told):
    """What the contact heard, without what the digits do, which is behind every message."""
    everything = told.plane.used[0].heard
    return [each for each in everything if each not in ("silence", CHOICES)]


def noted(told):
    """The answers among the call's events."""
    return [data["answer"] for kind, data in told.writer.notes if kind == "call.reminder_answered"]


def sentence(name):
    return said(name, "en")


@pytest.mark.parametrize(
    ("digit", "answer", "reply"),
    [
        ("1", Answer.CONFIRMED, Sentence.CONFIRMED),
        ("2", Answer.RESCHEDULE_REQUESTED, Sentence.RESCHEDULE_NOTED),
    ],
)
def test_a_digit_is_the_answer_and_is_thanked_for(remind, digit, answer, reply):
    told, desk = remind(*ANSWERED, Presses(9.0, digit))
    assert (told.outcome, told.ended_by) == ("connected", "system")
    assert desk.answers == [Answer.HEARD, answer]
    assert heard(told) == [MESSAGE, sentence(reply)]
    assert told.sent("contact") == ["INVITE", "ACK", "BYE"]


def test_where_the_plan_says_so_two_cancels(remind):
    told, desk = remind(*ANSWERED, Presses(9.0, "2"), change_means="cancel")
    assert desk.answers[-1] is Answer.CANCELLED
    assert heard(told)[-1] == sentence(Sentence.CANCELLED)


def test_whoever_knows_what_comes_need_not_wait_for_its_end(remind):
    told, desk = remind(*ANSWERED, Presses(6.0, "1"))
    assert desk.answers == [Answer.CONFIRMED]
    assert told.plane.used[0].cut_off_at[0] == pytest.approx(6.0, abs=0.01)


def test_star_says_it_again_and_is_no_try(remind):
    told, desk = remind(
        *ANSWERED, *(Presses(6.0 + each, "*") for each in range(4)), Presses(11.0, "1")
    )
    assert heard(told) == [MESSAGE] * 5 + [sentence(Sentence.CONFIRMED)]
    assert desk.answers == [Answer.CONFIRMED]


def test_who_presses_nothing_is_asked_again_and_then_wished_well(remind):
    told, desk = remind(*ANSWERED)
    assert heard(told) == [MESSAGE] * TRIES + [sentence(Sentence.GOODBYE)]
    assert desk.answers == [Answer.HEARD]
    assert told.outcome == "connected"


def test_a_digit_that_means_nothing_is_said_to(remind):
    told, desk = remind(*ANSWERED, Presses(6.0, "7"), Presses(11.0, "1"))
    assert heard(told)[:3] == [MESSAGE, sentence(Sentence.NOT_UNDERSTOOD), MESSAGE]
    assert desk.answers[-1] is Answer.CONFIRMED


def test_an_opt_out_is_asked_for_twice(remind):
    told, desk = remind(*ANSWERED, Presses(6.0, "9"), Presses(7.0, "9"))
    assert desk.answers == [Answer.OPTED_OUT]
    assert heard(told) == [
        MESSAGE,
        sentence(Sentence.OPT_OUT_SURE),
        sentence(Sentence.OPTED_OUT),
    ]


def test_a_nine_by_mistake_is_no_opt_out(remind):
    _, desk = remind(*ANSWERED, Presses(6.0, "9"), Presses(7.0, "1"), Presses(8.0, "1"))
    assert desk.answers == [Answer.CONFIRMED]


def test_who_is_asked_whether_they_mean_it_has_not_heard_what_they_broke_off(remind):
    _, desk = remind(*ANSWERED, Presses(6.0, "9"), HangsUp(12.0))
    assert desk.answers == []


@pytest.mark.parametrize("digit", ["0", "4", "8", "#", "A"])
def test_who_presses_only_what_means_nothing_is_asked_three_times_and_wished_well(remind, digit):
    presses = [Presses(at, digit) for at in (6.0, 11.0, 16.0)]
    told, desk = remind(*ANSWERED, *presses)
    again = [sentence(Sentence.NOT_UNDERSTOOD), MESSAGE]
    assert heard(told) == [MESSAGE, *again, *again, sentence(Sentence.GOODBYE)]
    assert (told.outcome, told.ended_by) == ("connected", "system")
    assert desk.answers == []


def test_who_has_it_said_again_without_end_is_wished_well_in_the_end(remind):
    told, _ = remind(*ANSWERED, *(Presses(6.0 + each / 2, "*") for each in range(30)))
    assert heard(told) == [MESSAGE] * (REPEATS + TRIES) + [sentence(Sentence.GOODBYE)]


def test_who_hangs_up_before_the_end_has_not_heard_it(remind):
    told, desk = remind(*ANSWERED, HangsUp(6.0))
    assert (told.outcome, told.ended_by) == ("connected", "contact")
    assert desk.answers == []


def test_who_hangs_up_after_the_message_has_heard_it(remind):
    _, desk = remind(*ANSWERED, HangsUp(9.0))
    assert desk.answers == [Answer.HEARD]


@pytest.mark.parametrize(
    ("contact", "outcome"),
    [
        (RINGS_FOR_EVER, "contact_no_answer"),
        ((Rings(), Refuses(486)), "contact_busy"),
        (DEAD, "contact_unreachable"),
        ((Refuses(404),), "contact_invalid_number"),
    ],
)
def test_a_contact_that_is_not_reached_gives_no_answer(remind, contact, outcome):
    told, desk = remind(*contact)
    assert told.outcome == outcome
    assert desk.answers == []


class TestStaff:
    def test_three_rings_the_staff_and_joins_who_answers(self, remind):
        told, desk = remind(
            *ANSWERED,
            Presses(6.0, "3"),
            staff=one_after_another(user("agent")),
            agents={"agent": (*ANSWERS, HangsUp(8.0))},
        )
        assert (told.outcome, told.ended_by) == ("connected", "agent")
        assert desk.answers == [Answer.TALKED]
        assert told.writer.statuses == ["contact_ringing", "agent_ringing", "bridged", "ended"]
        assert len(told.plane.closed_bridges) == 1

    def test_when_nobody_is_free_a_callback_is_noted(self, remind):
        told, desk = remind(*ANSWERED, Presses(6.0, "3"))
        assert desk.answers == [Answer.CALLBACK_REQUESTED]
        assert heard(told)[-1] == sentence(Sentence.STAFF_NOT_FREE)
        assert told.outcome == "connected"

    def test_when_nobody_answers_a_callback_is_noted(self, remind):
        told, desk = remind(
            *ANSWERED,
            Presses(6.0, "3"),
            staff=one_after_another(user("agent")),
            agents={"agent": RINGS_FOR_EVER},
        )
        assert desk.answers == [Answer.CALLBACK_REQUESTED]
        assert told.outcome == "connected"

    def test_who_hangs_up_while_the_staff_is_rung_is_called_back(self, remind):
        """The answer is settled from the call's events: no phone rings on until it is stored."""
        told, desk = remind(
            *ANSWERED,
            Presses(6.0, "3"),
            HangsUp(9.0),
            staff=one_after_another(user("agent")),
            agents={"agent": RINGS_FOR_EVER},
        )
        assert (told.outcome, told.ended_by) == ("connected", "contact")
        assert (noted(told), desk.answers) == (["callback_requested"], [])
        assert told.sent("agent") == ["INVITE", "CANCEL"]

    def test_who_vanishes_while_the_staff_is_rung_holds_nobody_up_and_is_called_back(self, remind):
        told, desk = remind(
            *ANSWERED,
            Presses(6.0, "3"),
            FallsSilent(7.0),
            staff=one_after_another(user("agent"), user("another"), user("third")),
            agents=dict.fromkeys(("agent", "another", "third"), RINGS_FOR_EVER),
        )
        assert (told.outcome, told.ended_by) == ("connected", "system")
        assert told.ended_at == pytest.approx(7.0 + SILENT_SECONDS, abs=0.01)
        assert told.record("contact").reason == "no audio for 60 s"
        assert (noted(told), desk.answers) == (["callback_requested"], [])

    def test_who_has_talked_is_not(self, remind):
        told, desk = remind(
            *ANSWERED,
            Presses(6.0, "3"),
            HangsUp(15.0),
            staff=one_after_another(user("agent")),
            agents={"agent": ANSWERS},
        )
        assert (told.outcome, told.ended_by) == ("connected", "contact")
        assert desk.answers == [Answer.TALKED]

    def test_is_not_offered_where_the_plan_has_none(self, remind):
        told, desk = remind(*ANSWERED, Presses(6.0, "3"), ring_group_id=None)
        assert sentence(Sentence.NOT_UNDERSTOOD) in heard(told)
        assert desk.answers == [Answer.HEARD]


def test_the_answer_is_among_the_calls_events(remind):
    told, _ = remind(*ANSWERED, Presses(9.0, "1"))
    assert noted(told) == ["heard", "confirmed"]


class TestPrompts:
    """The plan's own recording in place of its text."""

    def test_a_prompt_is_played_and_what_the_digits_do_is_said_behind_it(self, remind):
        prompts = MemoryPrompts(prompt_4="Dr. Gray says hello")
        told, desk = remind(*ANSWERED, Presses(12.0, "1"), prompts=prompts, prompt_id=4)
        assert told.plane.used[0].heard[:2] == ["Dr. Gray says hello", CHOICES]
        assert heard(told) == ["Dr. Gray says hello", sentence(Sentence.CONFIRMED)]
        assert desk.answers == [Answer.HEARD, Answer.CONFIRMED]

    def test_it_can_be_cut_off_by_a_digit(self, remind):
        prompts = MemoryPrompts(prompt_4="Dr. Gray says hello")
        told, desk = remind(*ANSWERED, Presses(6.0, "1"), prompts=prompts, prompt_id=4)
        assert desk.answers == [Answer.CONFIRMED]
        assert told.plane.used[0].cut_off_at[0] == pytest.approx(6.0, abs=0.01)

    @pytest.mark.parametrize("prompts", [None, MemoryPrompts()])
    def test_nobody_is_rung_for_a_prompt_that_cannot_be_had(self, remind, prompts):
        told, desk = remind(*ANSWERED, prompts=prompts, prompt_id=4)
        assert told.outcome == "failed"
        assert told.phone.legs == {}
        assert desk.answers == []


@pytest.mark.parametrize(
    "missing",
    [MESSAGE, CHOICES, LEFT, *(said(each, "en") for each in Sentence), None],
)
def test_nobody_is_rung_before_everything_that_may_be_said_is_there(remind, monkeypatch, missing):
    """None: what there was to be reminded of is not there any more."""

    async def audio(self, text, language):
        if text == missing:
            raise SpeechFailed("no voice here")
        return Spoken(text)

    async def reminder_of(self, reminder_id):
        if missing is None:
            raise ReminderGone
        return self.of

    monkeypatch.setattr(Desk, "audio", audio)
    monkeypatch.setattr(Desk, "reminder", reminder_of)
    told, desk = remind(*ANSWERED, voicemail="message", voicemail_text=LEFT)
    assert (told.outcome, told.phone.legs, desk.answers) == ("failed", {}, [])


@pytest.mark.parametrize("seed", range(30))
def test_a_digit_and_a_hang_up_at_once_leave_nothing_behind(remind, seed):
    told, desk = remind(*ANSWERED, Presses(6.0, "1"), HangsUp(6.0), seed=seed)
    assert told.outcome == "connected"
    assert desk.answers in ([], [Answer.CONFIRMED])


# A machine answers at 2 s, talks from 2.5 to 10.5 s, and beeps from 11.1 to 11.5 s.
GREETING = silence(0.5) + voice(8.0)
BEEP = tone(0.4, 1000)


def machine(*sounds):
    samples = silence(0.0)
    for sound in sounds:
        samples += sound
    return (Rings(), Answers(2.0), Says(2.0, samples))


def who_answered(told):
    """Who was told to have answered, and from what."""
    return [
        (data["answered_by"], data["sign"])
        for kind, data in told.writer.notes
        if kind == "call.answered_by"
    ]


class TestPeople:
    def test_a_person_is_spoken_to_once_it_has_said_hello(self, remind):
        told, desk = remind(*machine(silence(0.3), voice(0.8)), Presses(8.5, "1"))
        assert who_answered(told) == [("human", "short_greeting")]
        assert desk.answers == [Answer.HEARD, Answer.CONFIRMED]
        assert heard(told)[0] == MESSAGE

    def test_a_key_says_that_a_person_is_there(self, remind):
        told, desk = remind(*machine(GREETING), Presses(4.0, "1"), voicemail="hang_up")
        assert who_answered(told) == [("human", "key")]
        assert desk.answers == [Answer.CONFIRMED]
        assert told.outcome == "connected"

    def test_who_says_nothing_is_spoken_to(self, remind):
        told, _ = remind(*ANSWERED)
        assert who_answered(told) == [("unknown", "silence")]
        assert heard(told)[0] == MESSAGE

    def test_nobody_is_listened_to_any_more_once_the_message_was_heard(self, remind):
        told, _ = remind(*ANSWERED, Presses(6.0, "*"), Presses(7.0, "1"))
        assert told.plane.used[0].sink is None


class TestMachines:
    @pytest.mark.parametrize(
        "fields",
        [
            {"voicemail": "hang_up"},
            {"voicemail": "hang_up", "voicemail_text": LEFT},
            {"voicemail": "message", "voicemail_text": None, "voicemail_prompt_id": 7},
        ],
        ids=["by plan", "though there is a text", "since its recording is gone"],
    )
    def test_it_is_hung_up_on_and_the_reminder_was_not_heard(self, remind, fields):
        told, desk = remind(*machine(GREETING), prompts=MemoryPrompts(prompt_8="another"), **fields)
        assert (told.outcome, told.ended_by) == ("contact_voicemail", "system")
        assert who_answered(told) == [("machine", "long_greeting")]
        assert (heard(told), desk.answers) == ([], [])
        assert told.sent("contact") == ["INVITE", "ACK", "BYE"]
        assert told.ended_at == pytest.approx(7.1, abs=0.3)

    def leave(self, remind, *contact, **fields):
        return remind(*contact, voicemail="message", voicemail_text=LEFT, **fields)

    def test_its_message_is_left_after_the_beep_once(self, remind):
        told, desk = self.leave(remind, *machine(GREETING, silence(0.6), BEEP))
        assert (told.outcome, told.ended_by) == ("contact_voicemail", "system")
        assert heard(told) == [LEFT]
        assert desk.answers == [Answer.MESSAGE_LEFT]
        # Half a second behind the beep, and three for the message.
        assert told.ended_at == pytest.approx(11.5 + 0.5 + 3.0, abs=0.2)

    def test_a_recording_goes_before_the_text(self, remind):
        told, _ = self.leave(
            remind,
            *machine(GREETING, silence(0.6), BEEP),
            prompts=MemoryPrompts(prompt_7="recorded"),
            voicemail_prompt_id=7,
        )
        assert heard(told) == ["recorded"]

    def test_a_machine_that_does_not_beep_records_after_a_long_silence(self, remind):
        told, _ = self.leave(remind, *machine(GREETING))
        assert heard(told) == [LEFT]
        assert told.ended_at == pytest.approx(10.5 + 4.0 + 3.0, abs=0.3)

    def test_a_tone_before_the_greeting_is_not_the_beep(self, remind):
        told, _ = self.leave(remind, *machine(silence(0.5), BEEP, GREETING, silence(0.6), BEEP))
        assert heard(told) == [LEFT]
        assert told.ended_at == pytest.approx(12.4 + 0.5 + 3.0, abs=0.2)

    def test_what_talks_on_and_on_gets_nothing(self, remind):
        told, desk = self.leave(remind, *machine(voice(50.0)))
        assert told.outcome == "contact_voicemail"
        assert (heard(told), desk.answers) == ([], [])
        assert told.ended_at == pytest.approx(42.0, abs=0.2)

    def test_a_beep_soon_after_we_began_to_speak_has_us_begin_anew(self, remind):
        terse = machine(silence(0.3), voice(1.0), silence(2.4), BEEP)
        told, desk = self.leave(remind, *terse)
        assert who_answered(told) == [("human", "short_greeting"), ("machine", "beep")]
        assert heard(told) == [MESSAGE, LEFT]
        assert told.plane.used[0].cut_off_at[0] == pytest.approx(6.2, abs=0.15)
        assert desk.answers == [Answer.MESSAGE_LEFT]

    def test_a_key_says_that_it_is_a_person_after_all(self, remind):
        told, desk = self.leave(remind, *machine(GREETING), Presses(9.0, "5"), Presses(13.0, "1"))
        assert who_answered(told) == [("machine", "long_greeting"), ("human", "key")]
        assert heard(told) == [MESSAGE, sentence(Sentence.CONFIRMED)]
        assert desk.answers == [Answer.HEARD, Answer.CONFIRMED]
        assert told.outcome == "connected"

    def test_one_that_hangs_up_before_the_end_has_no_message(self, remind):
        told, desk = self.leave(remind, *machine(GREETING, silence(0.6), BEEP), HangsUp(13.0))
        assert (told.outcome, told.ended_by) == ("contact_voicemail", "contact")
        assert desk.answers == []

    @pytest.mark.parametrize("seed", range(20))
    def test_a_key_and_a_hang_up_at_once_leave_nothing_behind(self, remind, seed):
        told, _ = self.leave(remind, *machine(GREETING), Presses(7.1, "1"), HangsUp(7.1), seed=seed)
        assert told.outcome in ("connected", "contact_voicemail")
