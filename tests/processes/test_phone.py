"""The demo's simulated phone, called by a phone in this process."""

from __future__ import annotations

import pytest

from twoleg.calls.agreed_stream import remote_stream
from twoleg.cli.demo.meter import ToneMeter
from twoleg.cli.demo.reports import Happening, PhoneScript
from twoleg.cli.demo.script import LOOPBACK, RTP_PORTS
from twoleg.cli.demo.simulated import SimulatedPhone
from twoleg.media import EmbeddedPlane, steady
from twoleg.sip import PCMU, AudioSession, Invitation, LocalAudio, NameAddr, SipUri
from twoleg.sip_io import KnownAddresses, Phone, PhoneConfig

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


async def test_it_answers_plays_its_tone_hears_the_others_and_hangs_up(tmp_path) -> None:
    script = PhoneScript(tone_hz=1000, expected_hz=700, ring_seconds=0.1, talk_seconds=0.6)
    reports = []
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        Phone.open(PhoneConfig(), KnownAddresses({LOOPBACK})) as phone,
        plane.open_port() as port,
        SimulatedPhone.start(
            "contact", tmp_path, lambda _, report: reports.append(report.happening)
        ) as simulated,
    ):
        simulated.begin(script)
        listening = await simulated.until(Happening.LISTENING)
        session = AudioSession(LocalAudio(port.address, port.port, (PCMU,)), 1)
        called = SipUri("sip", "+18181276543", None, LOOPBACK, listening["port"])
        invitation = Invitation(
            target=called,
            from_=NameAddr(SipUri("sip", "+18552562001", None, LOOPBACK)),
            to=NameAddr(called),
            body=session.create_offer(),
        )
        meter = ToneMeter(1000, 700, lambda: None)
        port.tap(meter.receive)
        async with phone.ring(invitation) as leg:
            answer = await leg.answered()
            port.connect(remote_stream(session.accept_answer(answer.body)))
            leg.acknowledge()
            port.play(steady((700,), 1000), loop=True)
            end = await leg.ended()
        heard = await simulated.until(Happening.ENDED)

    assert end.by_remote
    assert reports == [
        Happening.LISTENING,
        Happening.RINGS,
        Happening.ANSWERS,
        Happening.HEARS,
        Happening.HANGS_UP,
        Happening.ENDED,
    ]
    assert heard["level"] == pytest.approx(-22, abs=1)
    assert meter.level == pytest.approx(-22, abs=1)
