"""Prompts over HTTP: made of files and of texts, heard, changed, deleted, and each one's own."""

import asyncio
import io
import wave
from array import array

import httpx
import psycopg
import pytest
from audio_files import FORMATS, tone_file, video_file

from twoleg.media import tone_levels
from twoleg.prompts import MAX_FILE_BYTES

PATH = "/api/v1/prompts"
TEXT = {"name": "Web shop", "text": "A call from the web shop.", "language": "en"}


@pytest.fixture
def upload(account, client):
    """Send a file as a form does."""

    async def send(data, *, to=PATH, method="POST", filename="greeting.wav", **fields):
        if method == "POST":
            fields = {"name": "Greeting"} | fields
        files = {"file": (filename, data)}
        return await client.request(method, to, data=fields, files=files)

    return send


@pytest.fixture
async def stranger(app, add_account):
    other = await add_account("token-of-the-other-account")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://twoleg.test",
        headers={"Authorization": f"Bearer {other.token}"},
    ) as client:
        yield client


def samples_of(wav):
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return array("h", file.readframes(file.getnframes()))


def tone_in(wav, among=(440, 1000, 1500)):
    levels = tone_levels(samples_of(wav)[1600:3200], 8000, among)
    return max(levels, key=levels.get)


async def heard(client, prompt_id):
    reply = await client.get(f"{PATH}/{prompt_id}/audio")
    assert reply.status_code == 200
    return reply.content


@pytest.mark.parametrize("shape", FORMATS.values(), ids=FORMATS)
async def test_a_file_of_any_common_format_is_a_prompt_that_can_be_heard(upload, client, shape):
    made = await upload(tone_file(*shape, hertz=440))
    assert made.status_code == 201, made.text
    prompt = made.json()
    assert (prompt["kind"], prompt["text"], prompt["language"]) == ("upload", None, None)
    assert prompt["seconds"] == pytest.approx(1.0, abs=0.1)
    assert prompt["url"] == f"http://twoleg.test{PATH}/{prompt['id']}/audio"
    assert made.headers["Location"] == f"{PATH}/{prompt['id']}"
    reply = await client.get(prompt["url"])
    assert reply.headers["Content-Type"] == "audio/wav"
    assert tone_in(reply.content) == 440


async def test_every_codec_is_stored_for_an_upload(upload, execute):
    prompt = (await upload(tone_file())).json()
    rows = await execute(
        "SELECT codec, length(bytes) FROM prompt_audio WHERE prompt_id = %s ORDER BY 1",
        prompt["id"],
    )
    assert rows == [("G722", 8000), ("PCMA", 8000), ("PCMU", 8000)]


async def test_a_text_is_spoken_when_it_is_made(account, client):
    made = await client.post(PATH, json=TEXT)
    assert made.status_code == 201, made.text
    prompt = made.json()
    assert (prompt["kind"], prompt["text"], prompt["language"]) == ("text", TEXT["text"], "en")
    assert prompt["voice"] == "en"
    assert 1.0 < prompt["seconds"] < 4.0
    samples = samples_of(await heard(client, prompt["id"]))
    assert max(samples) > 3000


async def test_a_text_with_variables_is_spoken_for_each_call(account, client, execute):
    made = await client.post(PATH, json=TEXT | {"text": "A call from {name}."})
    assert made.status_code == 201, made.text
    assert (made.json()["kind"], made.json()["seconds"]) == ("text", None)
    own = f"{PATH}/{made.json()['id']}"
    unheard = await client.get(f"{own}/audio")
    assert unheard.status_code == 409
    assert "for each call" in unheard.json()["message"]
    assert (await client.patch(own, json={"text": "A call."})).json()["seconds"] > 0.3
    assert (await client.get(f"{own}/audio")).status_code == 200
    assert (await client.patch(own, json={"text": "To {name}."})).json()["seconds"] is None
    rows = await execute("SELECT FROM prompt_audio WHERE prompt_id = %s", made.json()["id"])
    assert rows == []


async def test_parts_of_the_audio_are_read_by_range(upload, client):
    prompt = (await upload(tone_file())).json()
    whole = await heard(client, prompt["id"])
    part = await client.get(prompt["url"], headers={"Range": "bytes=10-99"})
    assert (part.status_code, part.content) == (206, whole[10:100])
    assert part.headers["Content-Range"] == f"bytes 10-99/{len(whole)}"
    beyond = await client.get(prompt["url"], headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"hello, I am a text", "The file is no audio that can be read"),
        (bytes(5000), "The file is no audio that can be read"),
        (video_file(), "The file is no audio that can be read"),
        (b"", "There is no sound in the file"),
        (tone_file("wav", "pcm_u8", 2000, "mono", seconds=301), "longer than 5 minutes"),
    ],
    ids=["text", "zeros", "film", "empty", "too long"],
)
async def test_a_file_that_is_no_prompt_is_422_under_its_field(
    upload, snapshot, account, data, text
):
    before = await snapshot()
    reply = await upload(data)
    assert reply.status_code == 422, reply.text
    assert text in reply.json()["errors"]["file"][0]
    assert await snapshot() == before


async def test_a_file_that_is_too_large_is_refused_with_the_limit(upload):
    reply = await upload(bytes(MAX_FILE_BYTES + 1))
    assert reply.status_code == 422
    assert reply.json()["errors"] == {
        "file": ["The file is larger than 20 MiB: give a smaller one."]
    }
    assert (await upload(bytes(MAX_FILE_BYTES + 1024**2))).status_code == 413


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"name": "x"}, {"text"}),
        ({"name": "x", "text": "Hello."}, {"language"}),
        ({"name": "x", "language": "en"}, {"language"}),
        ({"text": "Hello.", "language": "en"}, {"name"}),
        ({"name": "x", "text": "Hello.", "language": "klingon"}, {"language"}),
        ({"name": "x", "text": " ", "language": "en"}, {"text"}),
        ({"name": "x", "text": "Hello {who}.", "language": "en"}, {"text"}),
        ({"name": "x", "text": "Hello {name", "language": "en"}, {"text"}),
        ({"name": "x", "text": "Hello {name}.", "language": "klingon"}, {"language"}),
        ({"name": "x", "text": "Hello." * 400, "language": "en"}, {"text"}),
        ({"name": "Victim's greeting", "text": "Hello.", "language": "en"}, {"name"}),
        ({"name": "x", "file": "Hello."}, {"file"}),
    ],
)
async def test_what_cannot_be_spoken_is_422_under_its_field(
    account, client, snapshot, body, errors
):
    before = await snapshot()
    reply = await client.post(PATH, json=body)
    assert reply.status_code == 422, reply.text
    assert set(reply.json()["errors"]) == errors
    assert await snapshot() == before


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"text": "Hello.", "language": "en"}, {"text"}),
        ({"language": "en"}, {"language"}),
        ({"name": ""}, {"name"}),
        ({"colour": "red"}, {"colour"}),
    ],
)
async def test_a_form_whose_fields_are_wrong_is_422_that_names_them(upload, fields, errors):
    reply = await upload(tone_file(), **fields)
    assert reply.status_code == 422, reply.text
    assert set(reply.json()["errors"]) == errors


async def test_a_form_that_cannot_be_read_is_422(account, client):
    for content in (b"", b"--x", b"--x\r\nContent-Disposition: form-data\r\n\r\n", bytes(1000)):
        for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
            reply = await client.post(PATH, content=content, headers={"Content-Type": kind})
            assert reply.status_code == 422, (content, kind)
    form = {"name": (None, "x"), "file": (None, "no file but a field")}
    reply = await client.post(PATH, files=form)
    assert set(reply.json()["errors"]) == {"file"}
    reply = await client.post(PATH, content=b"name=x", headers={"Content-Type": "text/plain"})
    assert set(reply.json()["errors"]) == {"body"}


async def test_a_change_of_the_file_is_heard_and_a_change_of_the_name_is_not(upload, client):
    prompt = (await upload(tone_file(hertz=440))).json()
    own = f"{PATH}/{prompt['id']}"
    renamed = await client.patch(own, json={"name": "New"})
    assert (renamed.json()["name"], renamed.json()["seconds"]) == ("New", prompt["seconds"])
    assert renamed.json()["updated_at"] >= prompt["updated_at"]
    assert tone_in(await heard(client, prompt["id"])) == 440
    changed = await upload(tone_file(hertz=1500, seconds=2.0), to=own, method="PATCH")
    assert changed.status_code == 200, changed.text
    assert (changed.json()["name"], changed.json()["seconds"]) == ("New", 2.0)
    assert tone_in(await heard(client, prompt["id"])) == 1500


async def test_a_text_takes_the_place_of_a_file_and_the_other_way_round(upload, client):
    prompt = (await upload(tone_file())).json()
    own = f"{PATH}/{prompt['id']}"
    refused = await client.patch(own, json={"text": "Hello."})
    assert set(refused.json()["errors"]) == {"language"}
    spoken = (await client.patch(own, json={"text": "Hello.", "language": "en"})).json()
    assert (spoken["kind"], spoken["text"]) == ("text", "Hello.")
    german = (await client.patch(own, json={"language": "de"})).json()
    assert (german["text"], german["language"], german["voice"]) == ("Hello.", "de", "de")
    assert (await client.patch(own, json={"text": ""})).status_code == 422
    again = (await upload(tone_file(), to=own, method="PATCH")).json()
    assert (again["kind"], again["text"], again["voice"]) == ("upload", None, None)


async def test_a_change_that_fails_leaves_what_there_was(upload, client, snapshot):
    prompt = (await upload(tone_file())).json()
    before = await snapshot()
    reply = await upload(b"no audio", to=f"{PATH}/{prompt['id']}", method="PATCH")
    assert reply.status_code == 422
    taken = await client.patch(f"{PATH}/{prompt['id']}", json={"name": "Victim's greeting"})
    assert set(taken.json()["errors"]) == {"name"}
    assert await snapshot() == before


async def test_a_deleted_prompt_is_gone_with_its_audio_and_its_name_is_free(
    upload, client, execute
):
    prompt = (await upload(tone_file())).json()
    own = f"{PATH}/{prompt['id']}"
    assert (await client.delete(own)).status_code == 204
    for method, path in (("GET", own), ("GET", f"{own}/audio"), ("DELETE", own)):
        assert (await client.request(method, path)).status_code == 404
    audio = await execute("SELECT FROM prompt_audio WHERE prompt_id = %s", prompt["id"])
    assert audio == []
    assert (await upload(tone_file())).status_code == 201


async def test_prompts_are_listed_page_by_page_and_by_name(account, client, upload):
    for name in ("One", "Two", "Three"):
        assert (await upload(tone_file(seconds=0.1), name=name)).status_code == 201
    first = (await client.get(PATH, params={"limit": 2})).json()
    second = (await client.get(PATH, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    names = [each["name"] for each in first["data"] + second["data"]]
    assert names == ["Victim's greeting", "One", "Two", "Three"]
    assert second["next_cursor"] is None
    found = (await client.get(PATH, params={"name": "tWo"})).json()
    assert [each["name"] for each in found["data"]] == ["Two"]


async def test_another_account_neither_hears_nor_changes_nor_names_a_prompt(
    upload, stranger, snapshot
):
    prompt = (await upload(tone_file())).json()
    own = f"{PATH}/{prompt['id']}"
    before = await snapshot()
    files = {"file": ("x.wav", tone_file(seconds=0.1))}
    for reply in (
        await stranger.get(own),
        await stranger.get(f"{own}/audio"),
        await stranger.delete(own),
        await stranger.patch(own, json={"name": "Mine"}),
        await stranger.patch(own, files=files),
    ):
        assert reply.status_code == 404
    assert await snapshot() == before
    assert (await stranger.get(PATH)).json()["data"] == []
    form = {"data": {"name": prompt["name"]}, "files": files}
    assert (await stranger.post(PATH, **form)).status_code == 201


class TestWhatPlaysIt:
    """Prompts in calls and in reminder plans."""

    CALL = {"user_id": 1, "contact_id": 1234, "line_id": 1}  # noqa: RUF012

    async def test_a_call_whispers_a_prompt_of_the_account(self, account, client, execute):
        reply = await client.post("/api/v1/calls", json=self.CALL | {"whisper_prompt_id": "1"})
        assert reply.status_code == 202, reply.text
        [(options,)] = await execute("SELECT options FROM calls")
        assert options == {"whisper_prompt_id": 1}

    async def test_a_call_with_a_prompt_that_is_not_there_is_422(self, account, client, execute):
        assert (await client.delete(f"{PATH}/1")).status_code == 204
        for id_ in (1, 999, "x"):
            reply = await client.post("/api/v1/calls", json=self.CALL | {"whisper_prompt_id": id_})
            assert reply.status_code == 422
            assert set(reply.json()["errors"]) == {"whisper_prompt_id"}
        assert await execute("SELECT FROM calls") == []

    @pytest.mark.parametrize("field", ["prompt_id", "voicemail_prompt_id"])
    async def test_a_plan_keeps_its_prompt_from_being_deleted(self, account, client, field):
        plan = "/api/v1/reminder-plans/1"
        fields = {field: 1} | ({"text": None} if field == "prompt_id" else {})
        changed = await client.patch(plan, json=fields)
        assert changed.status_code == 200, changed.text
        assert changed.json()[field] == 1
        refused = await client.delete(f"{PATH}/1")
        assert refused.status_code == 409
        assert "Before" in refused.json()["message"]
        await client.patch(plan, json={field: None} | ({"text": "Hi"} if "text" in fields else {}))
        assert (await client.delete(f"{PATH}/1")).status_code == 204

    async def test_a_plan_takes_a_prompt_or_a_text_but_not_both_and_only_its_own(
        self, account, client
    ):
        plan = "/api/v1/reminder-plans/1"
        both = await client.patch(plan, json={"prompt_id": 1})
        assert set(both.json()["errors"]) == {"text"}
        for field in ("prompt_id", "voicemail_prompt_id"):
            foreign = await client.patch(plan, json={field: 999, "text": None})
            assert set(foreign.json()["errors"]) == {field}
        message = {"voicemail": "message", "voicemail_prompt_id": 1}
        assert (await client.patch(plan, json=message)).status_code == 200

    async def test_a_deleted_plan_keeps_no_prompt(self, account, client):
        plan = "/api/v1/reminder-plans/1"
        assert (await client.patch(plan, json={"prompt_id": 1, "text": None})).status_code == 200
        assert (await client.delete(plan)).status_code == 204
        assert (await client.delete(f"{PATH}/1")).status_code == 204


async def test_the_database_keeps_a_plans_prompt_to_the_account(account, add_account, execute):
    other = await add_account("token-of-the-other-account")
    [(foreign,)] = await execute(
        "INSERT INTO prompts (account_id, name, kind, seconds) VALUES (%s, 'x', 'upload', 1)"
        " RETURNING id",
        other.id,
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        await execute("UPDATE reminder_plans SET prompt_id = %s WHERE id = 1", foreign)


async def test_two_changes_at_once_leave_one_whole_audio(upload, client, execute):
    prompt = (await upload(tone_file(hertz=440))).json()
    own = f"{PATH}/{prompt['id']}"
    replies = await asyncio.gather(
        upload(tone_file(hertz=1000, seconds=1.0), to=own, method="PATCH"),
        upload(tone_file(hertz=1500, seconds=2.0), to=own, method="PATCH"),
    )
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses in ([200, 200], [200, 422])
    shown = (await client.get(own)).json()
    lengths = await execute(
        "SELECT DISTINCT length(bytes) FROM prompt_audio WHERE prompt_id = %s", prompt["id"]
    )
    assert lengths == [(shown["seconds"] * 8000,)]
    assert tone_in(await heard(client, prompt["id"])) in (1000, 1500)
