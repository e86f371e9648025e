"""What a running service logs at its most talkative: whose each step is, and no secret."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from processes.test_accepted_calls import on_stage

from twoleg.cli.demo.reports import Happening

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

TRUNK_PASSWORD = "words-of-the-trunk"


async def test_a_call_is_followed_by_its_id_and_legs_and_no_secret_is_logged(serve, tmp_path):
    data_dir = tmp_path / "data"
    with serve(data_dir, TWOLEG_LOG_LEVEL="debug", TWOLEG_LOG_FORMAT="json") as serving:
        async with on_stage(serving, tmp_path) as scene:
            trunk = {"name": "T", "host": "127.0.0.1", "port": 9, "register": True}
            login = {"username": "acme", "password": TRUNK_PASSWORD}
            made = await asyncio.to_thread(
                httpx.post,
                f"{serving.url}/api/v1/trunks",
                params={"api_token": serving.token},
                json=trunk | login,
                timeout=60,
            )
            assert made.status_code == 201
            location = await scene.service.place(scene.agent)
            await scene.contact_phone.until(Happening.ENDED)
            await scene.ended(location)
            secrets = [serving.token, scene.agent.sip_password, TRUNK_PASSWORD]
    log = data_dir.with_suffix(".log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert not [secret for secret in secrets if secret in log]
    assert "response=" not in log
    call_id = int(location.rpartition("/")[2])
    of_call = [line for line in lines if line.get("call_id") == call_id]
    told = {(line["event"], line.get("leg")) for line in of_call if line["part"] == "engine"}
    for leg in (1, 2):
        assert {("leg is rung", leg), ("leg is answered", leg), ("leg is over", leg)} <= told
    assert ("call.bridged", 2) in told
    assert {line["path"] for line in lines if line["event"] == "request"} >= {"/api/v1/trunks"}
