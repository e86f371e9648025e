import pytest
from calls.in_memory import prepare
from calls.virtual_time import run


@pytest.fixture
def tell():
    """Tell a story to its end, in virtual time; nothing may be left of it.

    `meanwhile`: pairs of a time and what to do to the told story then.
    """

    def tell(behaviours, plan=None, *, seed=None, meanwhile=(), **options):
        async def main(loop):
            told = prepare(behaviours, plan, **options)
            for at, act in meanwhile:
                loop.call_later(at, act, told)
            await told.story.run()
            told.ended_at = loop.time()
            told.assert_nothing_is_left()
            return told

        return run(main, seed=seed)

    return tell
