"""One engine's dispatcher, and calls that run until they are hung up."""

import asyncio

from waiting import SECONDS, until


class FakeCall:
    """Runs until it is hung up."""

    def __init__(self, stage, claim, search):
        self.stage = stage
        self.claim = claim
        self.search = search
        self.over = asyncio.Event()
        self.said = asyncio.Queue()
        self.canceled = False

    async def run(self):
        self.stage.begun.put_nowait(self)
        try:
            if not self.claim.hangup_requested:
                await self.over.wait()
        except asyncio.CancelledError:
            self.canceled = True
            raise

    def hang_up(self):
        self.over.set()

    def disposed(self, disposition, notes):
        self.said.put_nowait((disposition, notes))


class Stage:
    """One engine's dispatcher and the calls that it has begun."""

    def __init__(self):
        self.begun = asyncio.Queue()
        self.desk = None
        self.dispatcher = None
        self.engine_id = None

    def begin(self, claim, search):
        return FakeCall(self, claim, search)

    async def calls_wait(self, number):
        await until(lambda: self.desk.waiting >= number)

    async def next(self):
        async with asyncio.timeout(SECONDS):
            return await self.begun.get()
