"""`twoleg serve --sip-tls`: a call whose every message goes over TLS."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest
import trustme
from processes.watching import LOOPBACK
from waiting import until

from twoleg.calls.agreed_stream import remote_stream
from twoleg.media import EmbeddedPlane, steady
from twoleg.sip import PCMU, AudioSession, LocalAudio, Transport
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig, TlsConfig

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

WAIT_SECONDS = 60
SAID_PACKETS = 25
AGENT, CONTACT, LINE = "+41445550101", "+41445550102", "+41445550100"


@pytest.fixture
def certificates(tmp_path):
    """PEM files of both ends, who trust the same authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authorities.pem")
    certificate = authority.issue_cert(LOOPBACK)
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(tmp_path / "certificate.pem", append=True)
    return TlsConfig(
        certificate=tmp_path / "certificate.pem",
        key=tmp_path / "key.pem",
        authorities=tmp_path / "authorities.pem",
    )


async def answer(call, plane):
    """Take a call, and play a tone until it is over."""
    assert call.flow.transport is Transport.TLS
    async with plane.open_port() as port:
        session = AudioSession(LocalAudio(port.address, port.port, (PCMU,)), random.getrandbits(62))
        body, agreed = session.answer_offer(call.offer)
        port.connect(remote_stream(agreed))
        call.accept(body)
        port.play(steady((440,), 1000), loop=True)
        if call.request.uri.user == CONTACT:
            await port.first_packet()
            # The service has heard it too, by then.
            await until(lambda: port.quality().packets_sent >= SAID_PACKETS)
            call.hang_up()
        return await call.ended()


async def test_both_legs_of_a_call_go_over_tls(serve, tmp_path, certificates, media_ports) -> None:
    listen = (Listen(Transport.TLS, LOOPBACK),)
    config = PhoneConfig(listen=listen, accept_calls=True, tls=certificates)
    options = (
        "--sip-tls", f"{LOOPBACK}:0", "--tls-certificate", str(certificates.certificate),
        "--tls-key", str(certificates.key), "--tls-authorities", str(certificates.authorities),
    )  # fmt: skip
    with serve(tmp_path / "data", *options) as serving:
        async with (
            asyncio.timeout(WAIT_SECONDS),
            Phone.open(config, KnownAddresses({LOOPBACK})) as carrier,
            EmbeddedPlane.open(host=LOOPBACK, ports=media_ports) as plane,
            httpx.AsyncClient(
                base_url=f"{serving.url}/api/v1",
                headers={"Authorization": f"Bearer {serving.token}"},
            ) as http,
            asyncio.TaskGroup() as calls,
        ):
            [(_, there)] = carrier.addresses
            trunk = await http.post(
                "/trunks",
                json={"name": "TLS", "host": LOOPBACK, "port": there.port, "transport": "tls"},
            )
            await http.post(
                "/lines", json={"phone_number": LINE, "trunk_ids": [trunk.json()["id"]]}
            )
            user = await http.post("/users", json={"name": "A", "email": "a@example.test"})
            accepted = await http.post(
                "/calls",
                json={
                    "user_id": user.json()["id"],
                    "user_phone_number": AGENT,
                    "contact_phone_number": CONTACT,
                    "line_phone_number": LINE,
                    "screen": False,
                },
            )
            assert accepted.status_code == 202, accepted.text
            incoming = carrier.incoming()
            ends = [calls.create_task(answer(await anext(incoming), plane)) for _ in range(2)]
            await asyncio.wait(ends)
            record = {"status": "queued"}
            while record["status"] != "ended":
                await asyncio.sleep(0.05)
                record = (await http.get(f"/calls/{accepted.json()['id']}")).json()
    assert (record["outcome"], record["ended_by"]) == ("connected", "contact")
    assert all(leg["quality"]["packets_received"] for leg in record["legs"])
