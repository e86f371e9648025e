"""`twoleg call` and `twoleg calls`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twoleg.cli import following, output

FAILED, REFUSED = 1, 65


LEG = {
    "role": "agent",
    "to": "sip:alice@192.0.2.10",
    "answered": True,
    "sip_status": 200,
    "q850_cause": 16,
    "reason": "Normal call clearing",
    "codec": "PCMU",
    "quality": {"packets_received": 3051, "packets_lost": 2, "jitter_ms": 0.4, "mos": 4.37},
}


def call(status: str, outcome: str | None = None, *events: str, **more: Any) -> dict[str, Any]:
    types = ("call.queued", *events)
    return {
        "id": 81,
        "status": status,
        "outcome": outcome,
        "ended_by": "contact" if outcome else None,
        "user_id": 1,
        "ring_group_id": None,
        "contact_phone_number": "+18181276543",
        "created_at": "2026-01-05T17:00:00.000Z",
        "talk_seconds": "61.022",
        "legs": [LEG],
        "events": [
            {"type": type_, "at": f"2026-01-05T17:00:0{second}.500Z"}
            for second, type_ in enumerate(types)
        ],
        **more,
    }


CONNECTED = call("ended", "connected", "call.agent_ringing", "call.bridged", "call.ended")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following.time, "sleep", lambda seconds: None)


def test_a_call_is_placed_and_followed_to_its_end(twoleg, api) -> None:
    api.on("POST /calls", call("queued"), status=202)
    api.on("GET /calls/81", call("agent_ringing", None, "call.agent_ringing"), CONNECTED)

    ended = twoleg("call", "+18181276543", "--line", "+18552562001", "--user", "1")

    assert ended.exit_code == 0
    assert api.asked[0].body == {
        "user_id": "1",
        "contact_phone_number": "+18181276543",
        "line_phone_number": "+18552562001",
    }
    assert ended.err.splitlines() == [
        "   0.50 s  queued",
        "   1.50 s  agent ringing",
        "   2.50 s  bridged",
        "   3.50 s  ended",
        "connected, ended by contact, talked 61.022 s",
    ]


def test_a_service_that_is_restarted_meanwhile_is_waited_for(twoleg, api) -> None:
    api.on("POST /calls", call("queued"), status=202)
    api.replies["GET /calls/81"] = [(503, {"message": "Service Unavailable"}), (200, CONNECTED)]

    ended = twoleg("call", "+18181276543", "--line", "1", "--user", "1", "--json")

    assert ended.exit_code == 0
    assert ended.json["outcome"] == "connected"
    assert ended.err == ""


def test_what_is_all_digits_is_an_id(twoleg, api) -> None:
    api.on("POST /calls", call("queued"), status=202)

    ended = twoleg("call", "1234", "--line", "1", "--ring-group", "3", "--no-follow")

    assert api.asked[0].body == {"ring_group_id": "3", "contact_id": "1234", "line_id": "1"}
    assert "call 81 is queued" in ended.out


def test_any_further_field_can_be_set(twoleg, api) -> None:
    api.on("POST /calls", call("queued"), status=202)

    twoleg(
        "call", "1234", "--line", "1", "--user", "1", "--no-follow",
        "--set", "first=contact", "--set", 'metadata:={"deal":7}',
    )  # fmt: skip

    assert api.asked[0].body["first"] == "contact"
    assert api.asked[0].body["metadata"] == {"deal": 7}


def test_a_call_that_was_not_connected_ends_with_one(twoleg, api) -> None:
    api.on("POST /calls", call("queued"), status=202)
    api.on("GET /calls/81", call("ended", "contact_busy", "call.ended"))

    ended = twoleg("call", "+18181276543", "--line", "1", "--user", "1", "--json")

    assert ended.exit_code == FAILED
    assert ended.json["outcome"] == "contact_busy"


def test_a_refused_call_names_the_field(twoleg, api) -> None:
    api.on(
        "POST /calls",
        {"message": "The given data was invalid.", "errors": {"user_id": ["is invalid."]}},
        status=422,
    )

    ended = twoleg("call", "+18181276543", "--line", "1", "--user", "9")

    assert ended.exit_code == REFUSED
    assert "user_id: is invalid." in ended.err


def test_control_c_hangs_up_and_sees_the_call_end(twoleg, api, monkeypatch) -> None:
    api.on("POST /calls", call("queued"), status=202)
    api.on("GET /calls/81", call("ended", "canceled", "call.ended"))
    api.on("DELETE /calls/81", {}, status=202)

    interrupts = iter((KeyboardInterrupt,))

    def interrupted(seconds: float) -> None:
        if (interrupt := next(interrupts, None)) is not None:
            raise interrupt

    monkeypatch.setattr(following.time, "sleep", interrupted)
    ended = twoleg("call", "+18181276543", "--line", "1", "--user", "1")

    assert ended.exit_code == FAILED
    assert [asked.method for asked in api.asked] == ["POST", "DELETE", "GET"]


def test_calls_are_listed_with_filters(twoleg, api) -> None:
    api.on("GET /calls?outcome=connected&limit=50", {"data": [CONNECTED], "next_cursor": None})

    ended = twoleg("calls", "list", "outcome=connected")

    assert "+18181276543" in ended.out
    assert "connected" in ended.out


def test_a_call_is_shown_with_its_legs_and_events(twoleg, api) -> None:
    api.on("GET /calls/81", CONNECTED)

    ended = twoleg("calls", "show", "81")

    [leg] = [line for line in ended.out.splitlines() if line.startswith("agent ")]
    shown = ("sip:alice@192.0.2.10", "yes", "200", "16", "Normal call clearing", "PCMU", "4.37")
    assert all(each in leg for each in shown)
    assert "call.bridged" in ended.out


def test_a_terminal_of_80_columns_cuts_nothing_off(twoleg, api, monkeypatch) -> None:
    api.on("GET /calls/81", CONNECTED)
    monkeypatch.setattr(output.sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")

    ended = twoleg("calls", "show", "81")

    assert [line for line in ended.out.splitlines() if len(line) > 80] == []
    assert "\N{HORIZONTAL ELLIPSIS}" not in ended.out


def event(id_: int, type_: str, **data: Any) -> str:
    of_call = {"id": id_, "type": type_, "call_id": 81, "sequence": id_, "at": "", "data": data}
    return f"id: {id_}\nevent: {type_}\ndata: {json.dumps(of_call)}\n\n"


def test_a_tail_resumes_its_stream_until_control_c(twoleg, api, monkeypatch) -> None:
    api.on("GET /calls?limit=10", {"data": [call("agent_ringing")], "next_cursor": None})
    api.on(
        "GET /events",
        "retry: 1000\n\n: heartbeat\nid: 6\n\n" + event(7, "call.bridged"),
        event(8, "call.ended", outcome="connected"),
    )
    pauses = iter((None, KeyboardInterrupt))

    def pause(seconds: float) -> None:
        if (interrupt := next(pauses)) is not None:
            raise interrupt

    monkeypatch.setattr(following.time, "sleep", pause)
    ended = twoleg("calls", "tail")

    shown = [line.split()[-1] for line in ended.out.splitlines()]
    assert shown == ["agent_ringing", "bridged", "connected"]
    streams = [asked.last_event_id for asked in api.asked if asked.path == "/events"]
    assert streams == [None, "7"]


def test_a_tail_that_may_not_follow_says_so(twoleg, api) -> None:
    api.on("GET /events", {"message": "Unauthenticated."}, status=401)

    ended = twoleg("calls", "tail")

    assert ended.exit_code != 0
    assert "Unauthenticated." in ended.err


def test_a_call_is_hung_up(twoleg, api) -> None:
    api.on("DELETE /calls/81", {}, status=202)

    ended = twoleg("calls", "hang-up", "81")

    assert ended.exit_code == 0
    assert api.asked[0].method == "DELETE"


def test_a_recording_is_saved(twoleg, api, tmp_path) -> None:
    api.on("GET /calls/81/recording", b"RIFF and so on")
    file = tmp_path / "81.wav"

    assert twoleg("calls", "recording", "81", "--output", str(file)).exit_code == 0

    assert file.read_bytes() == b"RIFF and so on"
    assert list(tmp_path.iterdir()) == [file]


def test_a_recording_is_never_written_over_a_file(twoleg, api, tmp_path) -> None:
    file = tmp_path / "81.wav"
    file.write_bytes(b"mine")

    ended = twoleg("calls", "recording", "81", "--output", str(file))

    assert (ended.exit_code, api.asked) == (FAILED, [])
    assert "File exists" in ended.err
    assert file.read_bytes() == b"mine"


def test_a_call_without_a_recording_leaves_no_file(twoleg, api, tmp_path) -> None:
    api.on("GET /calls/81/recording", {"message": "Not Found."}, status=404)

    ended = twoleg("calls", "recording", "81", "--output", str(tmp_path / "81.wav"))

    assert ended.exit_code == REFUSED
    assert "Not Found." in ended.err
    assert list(tmp_path.iterdir()) == []


def test_what_a_call_came_to_can_be_said_and_taken_back(twoleg, api) -> None:
    api.on("PATCH /calls/81", CONNECTED | {"disposition": "Sale", "notes": None})

    said = twoleg("calls", "dispose", "81", "--disposition", "Sale", "--notes", "")

    assert said.exit_code == 0
    assert "Sale" in said.out
    assert api.asked[0].body == {"disposition": "Sale", "notes": None}


def test_the_accounts_settings_are_kept(twoleg, api) -> None:
    api.on("GET /account", {"id": 1, "dispositions": ["Sale"]})
    api.on("PATCH /account", {"id": 1, "dispositions": ["Sale", "Other"]})

    assert "Sale" in twoleg("account", "show").out
    changed = twoleg("account", "update", 'dispositions:=["Sale","Other"]', "--json")

    assert changed.json["dispositions"] == ["Sale", "Other"]
    assert api.asked[1].body == {"dispositions": ["Sale", "Other"]}


def test_a_dry_run_says_what_the_call_would_be(twoleg, api) -> None:
    def leg(to: str, shows: str, **more: Any) -> dict[str, Any]:
        return {
            "to": to, "trunk_id": None, "trunk": None, "shows": shows, "asked_to_confirm": False,
            "otherwise": [],
        } | more  # fmt: skip

    over = leg("sip:+18181276543@carrier", "+1855", trunk_id=1, trunk="Carrier")
    nowhere = {"user_id": None, "ring_group_id": None, "phone_number": None, "agents": []}
    alice = {"user_id": 1, "name": "Alice", "phones": [leg("sip:alice@desk", "+18181276543")]}
    plan = {
        "first": "agent",
        "steps": [
            nowhere | {"action": "ring", "user_id": 1, "seconds": 30.0, "agents": [alice]},
            nowhere
            | {
                "action": "wait",
                "ring_group_id": 3,
                "seconds": 60.0,
                "waiting": 2,
                "queue_is_full": False,
            },
        ],
        "more_steps": False,
        "contact": {"id": None, "phone_number": "+1818", "ring_seconds": 60.0, "trunks": [over]},
        "record": True,
        "announcement": "both",
    }
    api.on("POST /calls?dry_run=true", plan)

    said = twoleg("call", "+18181276543", "--line", "1", "--user", "1", "--dry-run")

    assert said.exit_code == 0
    assert said.out.splitlines() == [
        "1. user 1: ring for 30 s",
        "     Alice",
        "       sip:alice@desk, shows +18181276543",
        "2. ring group 3: busy: wait up to 60 s, behind 2 calls",
        "new contact +1818: ring for 60 s",
        "     sip:+18181276543@carrier over Carrier, shows +1855",
        "recorded; announced to: both",
        "nothing was placed",
    ]
