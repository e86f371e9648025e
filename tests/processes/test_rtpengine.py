"""`twoleg serve` with its calls' audio at rtpengine nodes."""

from __future__ import annotations

import httpx
import pytest
from foreign_peers.rtpengine import Rtpengine
from processes.watching import LOOPBACK, wait_until

from twoleg.cli.simulator.numbers import LINE

pytestmark = [pytest.mark.process, pytest.mark.peer, pytest.mark.timeout(300)]

SPEAKS, PRESSES_ONE = "+12025550109", "+12025550110"


def test_a_call_of_the_simulator_is_carried_by_a_node_that_lives(serve, media_ports, tmp_path):
    ports = f"{media_ports[0]}-{media_ports[-1]}"
    options = ("--simulator", "--simulator-sip", f"{LOOPBACK}:0", "--simulator-rtp-ports", ports)
    with Rtpengine() as dead, Rtpengine() as node:
        nodes = ",".join(f"{host}:{port}" for host, port in (dead.place, node.place))
        dead.kill()
        with (
            serve(tmp_path / "data", *options, "--rtpengine", nodes) as serving,
            httpx.Client(
                base_url=f"{serving.url}/api/v1",
                headers={"Authorization": f"Bearer {serving.token}"},
            ) as http,
        ):
            user = {"name": "Ann", "email": "ann@example.test", "phone_number": PRESSES_ONE}
            call = {
                "user_id": http.post("/users", json=user).json()["id"],
                "contact_phone_number": SPEAKS,
                "line_phone_number": LINE,
                "screen": True,
            }
            placed = http.post("/calls", json=call).json()["id"]

            def record(status):
                now = http.get(f"/calls/{placed}").json()
                return now if now["status"] in (status, "ended") else None

            assert wait_until(lambda: record("bridged"), "bridge")["status"] == "bridged"
            assert node.calls == 1
            http.delete(f"/calls/{placed}")
            ended = wait_until(lambda: record("ended"), "end")
            assert (ended["outcome"], ended["ended_by"]) == ("connected", "api")
            wait_until(lambda: node.calls == 0, "end at the node")
        assert node.is_running
