"""Two-legged calls without HTTP and database: `sip/`, `media/` and the call script alone.

Both parties are SIPp, in processes of their own; what is measured is the CPU of this process. Calls
begin on schedule whatever the others do: those that are due together, as often as an engine claims
what is due, or each at a moment of its own (`--apart`). A call counts as good if its outcome is
`connected`.
"""

import argparse
import asyncio
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator

import uvloop
from _answerers import answerer, free_port
from _figures import figure, machine

from twoleg.calls.background import background
from twoleg.calls.dispatch import CALLS_IN_ONE_GO, seconds_between_claims
from twoleg.calls.journal import CallChange, LegRecord
from twoleg.calls.phrases import Phrase
from twoleg.calls.plan import AgentPlan, AgentRound, CallPlan, ContactPlan, LegPlan
from twoleg.calls.ports import Equipment, Playable
from twoleg.calls.story import Story
from twoleg.cli.collector import look_when_quiet, spare_what_is_loaded
from twoleg.media import EmbeddedPlane, ToneBook, steady
from twoleg.sip import Destination, NameAddr, SipUri, Transport
from twoleg.sip_io import Listen, Phone, PhoneConfig

LOOPBACK = "127.0.0.1"
HOLD_SECONDS = 1.0
PORTS = range(10_000, 32_000)


class Wordless:
    """Stands in for the voice: nobody here is screened, and nothing is said."""

    def phrase(self, phrase: Phrase, language: str | None) -> Playable:
        del phrase, language
        return steady((440,), 1000)


class Outcomes:
    """Stands in for the database: everything is stored at once."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()

    def write(self, change: CallChange) -> None:
        if change.ending is not None:
            self.counted[change.ending.outcome] += 1

    def write_legs(self, call_id: int, legs: tuple[LegRecord, ...]) -> None:
        del call_id, legs

    def store(self, change: CallChange) -> asyncio.Future[None]:
        self.write(change)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored


def main() -> None:
    arguments = _arguments()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    machine()
    agent_port, contact_port = free_port(), free_port()
    with (
        answerer("answer_and_wait", agent_port),
        answerer("answer_and_hang_up", contact_port, "-d", str(round(HOLD_SECONDS * 1000))),
    ):
        costs = uvloop.run(_run(arguments, agent_port, contact_port))
    least, most = min(costs), max(costs)
    figure(f"signalling.cost_growth_{least}_to_{most}", costs[most] / costs[least], "ratio")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[70, 200, 400, 700])
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each rate")
    parser.add_argument("--apart", action="store_true", help="begin each call by itself")
    return parser.parse_args()


async def _run(
    arguments: argparse.Namespace, agent_port: int, contact_port: int
) -> dict[int, float]:
    config = PhoneConfig(listen=(Listen(Transport.UDP, LOOPBACK),))
    async with (
        Phone.open(config) as phone,
        EmbeddedPlane.open(host=LOOPBACK, ports=PORTS) as plane,
        background(look_when_quiet(lambda: False)),
    ):
        tones = ToneBook()
        equipment = Equipment(phone, plane, tones, Wordless())
        spare_what_is_loaded()
        costs: dict[int, float] = {}
        for rate in arguments.rates:
            pause = 0.0 if arguments.apart else seconds_between_claims(rate)
            costs[rate] = await _measure(
                equipment, agent_port, contact_port, rate, arguments.seconds, pause
            )
        return costs


async def _measure(
    equipment: Equipment,
    agent_port: int,
    contact_port: int,
    rate: int,
    seconds: float,
    pause: float,
) -> float:
    loop = asyncio.get_running_loop()
    outcomes = Outcomes()
    agent, contact = _leg(agent_port), _leg(contact_port)
    count = round(rate * seconds)
    late = 0.0
    spent, began = time.process_time(), loop.time()
    async with asyncio.TaskGroup() as calls:
        async for due in _due(rate, count, pause):
            late = max(late, loop.time() - began - due[0] / rate)
            for number in due:
                plan = CallPlan(
                    call_id=number,
                    account_id=1,
                    rounds=(AgentRound(agents=(AgentPlan(endpoints=(agent,)),)),),
                    contact=ContactPlan(trunks=(contact,), country="US"),
                )
                calls.create_task(Story(plan, equipment, outcomes).run())
    spent = time.process_time() - spent
    connected = outcomes.counted["connected"]
    for name, value, unit in (
        ("placed", count, "calls"),
        ("connected", connected, "calls"),
        ("failed", count - connected, "calls"),
        ("cpu_per_call", 1000 * spent / count, "ms"),
        ("cpu", 100 * spent / (loop.time() - began), "%_of_a_core"),
        ("late_max", 1000 * late, "ms"),
    ):
        figure(f"signalling.{rate}.{name}", value, unit)
    return spent / count


async def _due(rate: int, count: int, pause: float) -> AsyncIterator[range]:
    """Give the numbers of the calls that are due every `pause` seconds, in an engine's goes."""
    loop = asyncio.get_running_loop()
    began, taken = loop.time(), 0
    while taken < count:
        await asyncio.sleep(max(pause, began + taken / rate - loop.time()))
        due = min(count, int((loop.time() - began) * rate) + 1)
        for first in range(taken, due, CALLS_IN_ONE_GO):
            yield range(first, min(due, first + CALLS_IN_ONE_GO))
            await asyncio.sleep(0)
        taken = due


def _leg(port: int) -> LegPlan:
    target = SipUri("sip", "party", None, LOOPBACK, port)
    return LegPlan(
        target=target,
        from_=NameAddr(SipUri("sip", "+18552562001", None, LOOPBACK)),
        to=NameAddr(target),
        destinations=(Destination(Transport.UDP, LOOPBACK, port),),
    )


if __name__ == "__main__":
    main()
