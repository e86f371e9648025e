"""Waiting for what nobody tells of: rows of a database, or the inside of something that runs."""

import asyncio
import inspect

SECONDS = 60
"""Longer than anything takes on a busy machine, and less than a test may."""


async def until(holds):
    """Ask again and again, until the answer, which may have to be awaited, is true.

    Raises TimeoutError.
    """
    async with asyncio.timeout(SECONDS):
        while True:
            answer = holds()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.01)
