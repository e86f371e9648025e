"""Sessions of legs that do what a test wants of them, and what legs tell while they ring."""

import asyncio

from twoleg.sip_io import Session


class Scripted(Session):
    """Goes on as it was agreed on, but for what the test gives as functions, by their names."""

    def __init__(self, **answers):
        self.__dict__.update(answers)


async def next_progress(leg):
    """Wait for the next provisional response above 100."""
    told = asyncio.Queue()
    leg.when_progress(told.put_nowait)
    return await told.get()
