"""What people say of a call while it runs is one of its events."""

from calls.in_memory import ANSWERS, Answers, HangsUp, Rings

TALK = (Rings(), Answers(), HangsUp(30.0))


def test_it_is_told_once_however_often_the_story_hears_of_it(tell):
    meanwhile = [
        (at, lambda told, said=said: told.story.disposed(said, None))
        for at, said in ((5.0, "Sale"), (6.0, "Sale"), (7.0, "No interest"), (8.0, "Sale"))
    ]
    told = tell({"agent": ANSWERS, "contact": TALK}, meanwhile=meanwhile)
    assert told.outcome == "connected"
    assert told.writer.notes == [
        ("call.disposition_set", {"disposition": said, "notes": None})
        for said in ("Sale", "No interest", "Sale")
    ]


def test_one_that_is_heard_of_after_the_end_changes_nothing(tell):
    told = tell({"agent": ANSWERS, "contact": TALK})
    told.story.disposed("Sale", None)
    assert told.writer.notes == []
