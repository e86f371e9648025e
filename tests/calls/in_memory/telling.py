"""A story with all that it needs in memory, and what is left once it was told."""

from dataclasses import dataclass

from calls.in_memory.clock import LoopClock
from calls.in_memory.media import MemoryPlane
from calls.in_memory.phones import MemoryPhone
from calls.in_memory.plans import call_plan, leg_plan
from calls.in_memory.record import MemoryWriter
from calls.in_memory.sounds import NamedPhrases, NamedTones

from twoleg.calls.outcomes import EndedBy
from twoleg.calls.ports import Equipment
from twoleg.calls.story import Story


@dataclass(eq=False)
class Told:
    """A story that was told: what it did to phones and media, and what it wrote."""

    phone: MemoryPhone
    plane: MemoryPlane
    writer: MemoryWriter
    story: Story
    ended_at: float = 0.0

    @property
    def outcome(self):
        return str(self.writer.ending.outcome)

    @property
    def ended_by(self):
        return str(EndedBy(self.writer.ending.ended_by))

    @property
    def agent_heard(self):
        return self.plane.used[0].heard

    def sent(self, name):
        return self.phone.legs[name].sent

    def record(self, name):
        uri = str(leg_plan(name).target)
        return next(leg for leg in self.writer.legs.values() if leg.to_uri == uri)

    def assert_nothing_is_left(self):
        self.writer.close()
        assert not self.phone.up(), "a leg is up"
        assert not self.plane.open, "a port is open"
        assert not self.plane.bridges, "a bridge stands"


def prepare(
    behaviours,
    plan=None,
    *,
    settings=None,
    ports=100,
    agents=None,
    trunks=None,
    prompts=None,
    transfers=None,
    make=Story,
    recordings=None,
    check=None,
    encrypts=True,
    **writer,
):
    """Make a story and all that it needs; to be called in a running loop."""
    plane = MemoryPlane(ports)
    plane.encrypts = encrypts
    phone = MemoryPhone(plane, behaviours)
    record = MemoryWriter(**writer)
    options = {} if check is None else {"check": check}
    story = make(
        plan or call_plan(),
        Equipment(phone, plane, NamedTones(), NamedPhrases(), prompts, trunks, recordings),
        record,
        clock=LoopClock(phone.loop),
        settings=settings,
        agents=agents,
        transfers=transfers,
        **options,
    )
    return Told(phone, plane, record, story)
