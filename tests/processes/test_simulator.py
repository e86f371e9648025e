"""Each number of `twoleg serve --simulator`, called through the real engine."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from processes.watching import LOOPBACK, Serving, wait_until

from twoleg.cli.simulator.numbers import LINE, NUMBERS, behaviour_of, is_unknown

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

TAKES, CONFIRMS = "+12025550100", "+12025550110"
NOT_IN_SERVICE = "+12025550150"
DOCUMENT = Path(__file__).parents[2] / "docs" / "simulator.md"


@pytest.fixture(scope="module")
def simulating(tmp_path_factory, new_serve, media_ports):
    ports = f"{media_ports[0]}-{media_ports[-1]}"
    options = ("--simulator", "--simulator-sip", f"{LOOPBACK}:0", "--simulator-rtp-ports", ports)
    with new_serve(tmp_path_factory.mktemp("simulating") / "data", *options) as serving:
        yield serving


class Office:
    """Places calls, each for a user of its own."""

    def __init__(self, serving: Serving) -> None:
        self._http = httpx.Client(
            base_url=f"{serving.url}/api/v1",
            headers={"Authorization": f"Bearer {serving.token}"},
        )
        self._users = 0

    def ask(self, method: str, path: str, **fields: object) -> dict[str, object]:
        reply = self._http.request(method, path, json=fields or None)
        assert reply.is_success, reply.text
        return reply.json() if reply.content else {}

    def place(self, contact: str, agent: str = TAKES, **fields: object) -> object:
        self._users += 1
        email = f"user-{self._users}@example.test"
        user = self.ask("POST", "/users", name="User", email=email, phone_number=agent)
        call = {"user_id": user["id"], "contact_phone_number": contact, "line_phone_number": LINE}
        return self.ask("POST", "/calls", **{"screen": False, **call, **fields})["id"]

    def record(self, call: object) -> dict[str, object]:
        return self.ask("GET", f"/calls/{call}")

    def when(self, call: object, status: str) -> dict[str, object]:
        """The record once it has that status, or the call is over."""

        def reached() -> dict[str, object] | None:
            record = self.record(call)
            return record if record["status"] in (status, "ended") else None

        return wait_until(reached, f"{status} of a simulated call")

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="module")
def office(simulating):
    office = Office(simulating)
    yield office
    office.close()


def test_the_trunk_and_the_line_are_made_once(office) -> None:
    trunks = office.ask("GET", "/trunks")["data"]
    assert [trunk["name"] for trunk in trunks] == ["simulator"]
    lines = office.ask("GET", "/lines")["data"]
    assert [line["phone_number"] for line in lines] == [LINE]
    assert lines[0]["trunk_ids"] == [trunks[0]["id"]]


@pytest.mark.parametrize(
    ("number", "outcome", "status"),
    [
        ("+12025550102", "contact_busy", 486),
        ("+12025550104", "contact_declined", 603),
        ("+12025550106", "contact_unreachable", 503),
        (NOT_IN_SERVICE, "contact_invalid_number", 404),
    ],
)
def test_a_number_that_refuses(office, number, outcome, status) -> None:
    record = office.when(office.place(number), "ended")
    assert record["outcome"] == outcome
    assert record["legs"][1]["sip_status"] == status


def test_a_number_that_never_answers(office) -> None:
    record = office.when(office.place("+12025550103", ring_seconds={"contact": 1}), "ended")
    assert record["outcome"] == "contact_no_answer"


def test_a_number_that_hangs_up_after_a_few_seconds(office) -> None:
    record = office.when(office.place("+12025550107"), "ended")
    assert (record["outcome"], record["ended_by"]) == ("connected", "contact")
    assert record["legs"][1]["quality"]["packets_received"] > 0


@pytest.mark.parametrize(
    "number", ["+12025550100", "+12025550101", "+12025550105", "+12025550109", "+12025550110"]
)
def test_a_number_that_stays_on_the_line_is_heard(office, number) -> None:
    call = office.place(number, agent=CONFIRMS if number == TAKES else TAKES)
    assert office.when(call, "bridged")["status"] == "bridged"
    office.ask("DELETE", f"/calls/{call}")
    record = office.when(call, "ended")
    assert (record["outcome"], record["ended_by"]) == ("connected", "api")
    if number == "+12025550109":
        assert record["legs"][1]["quality"]["packets_received"] > 0


def test_a_machine_is_told_from_a_person(office) -> None:
    machine = office.place("+12025550105", detect_machine="hang_up")
    person = office.place("+12025550101", detect_machine="hang_up")
    tone = office.place("+12025550100", agent=CONFIRMS, detect_machine="hang_up")
    record = office.when(machine, "ended")
    assert (record["outcome"], record["ended_by"]) == ("contact_voicemail", "system")
    assert record["answered_by"] == "machine"
    for call, answered_by in ((person, "human"), (tone, "unknown")):
        wait_until(lambda call=call: office.record(call)["answered_by"], "who answered")
        office.ask("DELETE", f"/calls/{call}")
        record = office.when(call, "ended")
        assert (record["outcome"], record["answered_by"]) == ("connected", answered_by)


def test_a_number_that_sends_no_audio(office) -> None:
    call = office.place("+12025550108")
    assert office.when(call, "bridged")["status"] == "bridged"
    office.ask("DELETE", f"/calls/{call}")
    record = office.when(call, "ended")
    assert record["legs"][1]["quality"]["packets_received"] == 0


def test_an_agent_who_presses_1_takes_a_screened_call(office) -> None:
    call = office.place("+12025550107", CONFIRMS, screen=True)
    assert office.when(call, "ended")["outcome"] == "connected"


def test_an_agent_who_presses_nothing_does_not_confirm(office) -> None:
    call = office.place("+12025550107", TAKES, screen=True)
    assert office.when(call, "ended")["outcome"] == "agent_not_confirmed"


def test_the_table_of_the_documentation_names_every_number() -> None:
    rows = re.findall(r"^\| `(\+\d+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == list(NUMBERS)


@pytest.mark.parametrize("written", ["+12025550102", "12025550102", "2025550102"])
def test_a_number_is_known_in_every_format_of_a_trunk(written) -> None:
    assert behaviour_of(written) is NUMBERS["+12025550102"]


@pytest.mark.parametrize("written", [None, "", "+12025550199", "+4412345", "anonymous"])
def test_any_other_number_is_not_in_service(written) -> None:
    assert behaviour_of(written) is is_unknown
