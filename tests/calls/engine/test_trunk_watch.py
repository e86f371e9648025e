"""What is seen of a trunk stands in its row, and it is watched on whatever it says."""

import asyncio

from calls.engine.test_agent_desk import until

from twoleg.calls import trunk_watch
from twoleg.calls.background import background
from twoleg.calls.known_peers import KnownPeers
from twoleg.calls.trunk_health import TrunkHealth
from twoleg.calls.trunk_watch import TrunkWatch
from twoleg.sip import Response


class Phone:
    """Asks a trunk that answers as `says` has it."""

    def __init__(self):
        self.says = asyncio.Queue()

    async def addresses_of(self, destination):
        return frozenset({destination.host})

    async def options(self, uri, destinations):
        return await self.says.get()


async def test_a_trunk_is_watched_on_although_its_words_are_no_utf_8(office, database, monkeypatch):
    monkeypatch.setattr(trunk_watch, "PROBE_SECONDS", 0)
    await office.add_trunk()
    phone = Phone()
    watch = TrunkWatch(database, phone, KnownPeers(), TrunkHealth())

    async def shows(state, detail):
        return await office.row("SELECT state, state_detail FROM trunks") == (state, detail)

    async with background(watch.run()):
        phone.says.put_nowait(Response(403, "Zur\udcfcck, nicht verf\udcfcgbar"))
        await until(lambda: shows("reachable", "403 Zur\ufffdck, nicht verf\ufffdgbar"))
        phone.says.put_nowait(Response(200, "OK"))
        await until(lambda: shows("reachable", "200 OK"))
