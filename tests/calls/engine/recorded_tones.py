"""What is heard in a call's recording, once an engine has left its raw file."""

import wave
from array import array

from twoleg.calls.recordings import finalise_recordings
from twoleg.media import dominant_tone
from twoleg.store.objects import Objects, ObjectSettings


async def recorded_tones(database, directory, account_id, call_id, tones):
    """Make the recording ready; give the tones of its sides in the last half second of both."""
    objects = Objects.open(ObjectSettings(directory=directory / "recordings"))
    async with await database.connect() as connection:
        assert await finalise_recordings(connection, objects, directory) == 1
    with wave.open(str(directory / "recordings" / str(account_id) / f"{call_id}.wav")) as wav:
        rate = wav.getframerate()
        samples = array("h", wav.readframes(wav.getnframes()))
    sides = samples[0::2], samples[1::2]
    # One of them ends before the other: a call is over once its engine has heard of it.
    end = min(max(place for place, sample in enumerate(side) if sample) for side in sides)
    return [dominant_tone(side[end - rate // 2 : end], rate, tones) for side in sides]
