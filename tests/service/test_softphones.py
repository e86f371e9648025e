"""Foreign phones at both ends of a call, Kamailio in between: what one says, the other hears."""

from __future__ import annotations

import json
import math
from array import array
from contextlib import contextmanager

import pytest
from foreign_peers.baresip import SAMPLE_RATE, Baresip, baresip
from foreign_peers.chromium import chromium
from foreign_peers.kamailio import kamailio
from foreign_peers.ports import LOOPBACK

from twoleg.media import dominant_tone
from twoleg.media.webrtc.terms import NOT_PROVED, NOT_SECURED

AGENT_HERTZ = 440
CONTACT_HERTZ = 1000
TONES = (AGENT_HERTZ, CONTACT_HERTZ)
CONTACT = "+18181276543"
SPEECH_SECONDS = 60
BROWSER_RATE = 48_000
TALK_SECONDS = 2
PART = SAMPLE_RATE // 10


everywhere = pytest.mark.parametrize("service", ["own media", "at rtpengine"], indirect=True)


def tone(hertz: int, rate: int = SAMPLE_RATE, seconds: int = SPEECH_SECONDS) -> array[int]:
    angle = 2 * math.pi * hertz / rate
    samples = (round(10_000 * math.sin(angle * n)) for n in range(seconds * rate))
    return array("h", samples)


def seconds_of(phone: Baresip, hertz: int) -> float:
    """How long the phone heard the tone clearly."""
    heard = phone.heard()
    parts = (heard[start : start + PART] for start in range(0, len(heard) - PART, PART))
    tones = [dominant_tone(part, SAMPLE_RATE, TONES) for part in parts]
    return tones.count(hertz) * PART / SAMPLE_RATE


@pytest.fixture(scope="module")
def agent_speech():
    return tone(AGENT_HERTZ)


@pytest.fixture(scope="module")
def contact_speech():
    return tone(CONTACT_HERTZ)


@pytest.fixture
def contact_phone(tmp_path, contact_speech):
    """A softphone that answers the contact's number."""

    def run():
        return baresip(
            tmp_path / "contact",
            lambda port: f"<sip:{CONTACT}@{LOOPBACK}:{port}>;regint=0;answermode=auto",
            contact_speech,
        )

    return run


@pytest.fixture
def agent_phone(tmp_path, service, agent_speech):
    """A softphone registered as the user of a directory, that answers by itself."""

    def run(directory, proxy=None):
        outbound = "" if proxy is None else f';outbound="sip:{LOOPBACK}:{proxy}"'
        return baresip(
            tmp_path / "agent",
            lambda _: (
                f"<sip:{directory.sip_username}@{LOOPBACK}:{service.sip_port}>"
                f";auth_pass={directory.sip_password};regint=60;answermode=auto{outbound}"
            ),
            agent_speech,
        )

    return run


def talk(service, agent, directory, contact):
    """Place a call, let both talk, and let the agent hang up; give the record."""
    agent.wait_for("REGISTER_OK")
    call = service.place(
        user_id=directory.user_id,
        contact_phone_number=CONTACT,
        line_phone_number=directory.line,
    )
    agent.wait_for("CALL_ESTABLISHED")
    contact.wait_for("CALL_ESTABLISHED")
    for phone in (agent, contact):
        phone.listen(TALK_SECONDS + 1)
    # RTCP reports of what each has heard come every few seconds while they talk.
    agent.wait_for("CALL_RTCP")
    agent.command("hangup")
    contact.wait_for("CALL_CLOSED")
    return service.ended(call)


def test_a_registered_softphone_and_a_contact_hear_each_other(
    service, directory, agent_phone, contact_phone
):
    with contact_phone() as contact:
        there = directory(contact.port)
        with agent_phone(there) as agent:
            record = talk(service, agent, there, contact)

    assert record["outcome"] == "connected"
    assert record["ended_by"] == "agent"
    assert seconds_of(agent, CONTACT_HERTZ) > TALK_SECONDS
    assert seconds_of(contact, AGENT_HERTZ) > TALK_SECONDS
    assert [leg["codec"] for leg in record["legs"]] == ["PCMU", "PCMU"]
    assert all(leg["quality"]["packets_received"] > 0 for leg in record["legs"])


def test_a_call_runs_through_a_proxy_that_records_its_route(
    service, directory, agent_phone, contact_phone, tmp_path
):
    with contact_phone() as contact, kamailio(tmp_path / "proxy", contact.port) as proxy:
        there = directory(proxy)
        with agent_phone(there) as agent:
            record = talk(service, agent, there, contact)

    assert record["outcome"] == "connected"
    assert record["ended_by"] == "agent"
    assert seconds_of(agent, CONTACT_HERTZ) > TALK_SECONDS
    assert seconds_of(contact, AGENT_HERTZ) > TALK_SECONDS


def test_a_phone_that_registers_through_a_proxy_is_rung_through_it(
    service, directory, agent_phone, contact_phone, tmp_path
):
    """RFC 3327: the proxy holds the phone's flow, and every engine can send to the proxy."""
    with contact_phone() as contact, kamailio(tmp_path / "edge", service.sip_port) as edge:
        there = directory(contact.port)
        with agent_phone(there, edge) as agent:
            record = talk(service, agent, there, contact)
    assert record["outcome"] == "connected"
    assert seconds_of(agent, CONTACT_HERTZ) > TALK_SECONDS
    assert seconds_of(contact, AGENT_HERTZ) > TALK_SECONDS


@pytest.fixture
def over_tls(tmp_path, certificates):
    """What baresip is told for TLS and SRTP."""
    both = tmp_path / "certificate.pem"
    both.write_bytes(certificates.key.read_bytes() + certificates.chain.read_bytes())
    return (
        "module srtp.so",
        # Its jitter buffer takes a new source with lower numbers for packets that come late, and
        # at rtpengine ringback and the contact are two sources.
        "jitter_buffer_delay 0-0",
        f"sip_certificate {both}",
        f"sip_cafile {certificates.authorities}",
    )


@everywhere
def test_phones_over_tls_hear_each_other_encrypted(
    service, directory, tmp_path, agent_speech, contact_speech, over_tls
):
    """Both insist on SRTP, and whatever else they heard they would not understand."""
    with baresip(
        tmp_path / "contact",
        lambda port: (
            f"<sip:{CONTACT}@{LOOPBACK}:{port + 1};transport=tls>"
            ";regint=0;answermode=auto;mediaenc=srtp-mand"
        ),
        contact_speech,
        *over_tls,
    ) as contact:
        there = directory(contact.port + 1, transport="tls", media_encryption="sdes")
        with baresip(
            tmp_path / "agent",
            lambda _: (
                f"<sip:{there.sip_username}@{LOOPBACK}:{service.tls_port};transport=tls>"
                f";auth_pass={there.sip_password};regint=60;answermode=auto;mediaenc=srtp-mand"
            ),
            agent_speech,
            *over_tls,
        ) as agent:
            record = talk(service, agent, there, contact)

    assert record["outcome"] == "connected"
    assert seconds_of(agent, CONTACT_HERTZ) > TALK_SECONDS
    assert seconds_of(contact, AGENT_HERTZ) > TALK_SECONDS
    assert all(leg["quality"]["packets_received"] > 0 for leg in record["legs"])
    assert "inline:" not in json.dumps(record)


@pytest.fixture
def browser(tmp_path, service):
    """A phone in a web page, registered as the user of a directory, that answers by itself."""

    @contextmanager
    def run(directory, *, codec=None, over="ws"):
        # It says its file again and again.
        says = tone(AGENT_HERTZ, BROWSER_RATE, seconds=1)
        # Nobody vouches for the service's certificate on this machine.
        with chromium(
            tmp_path / "browser", says, BROWSER_RATE, "--ignore-certificate-errors"
        ) as page:
            port = {"ws": service.ws_port, "wss": service.wss_port}[over]
            about = [
                f"{over}://{LOOPBACK}:{port}",
                directory.sip_username,
                directory.sip_password,
                "twoleg.example",
                codec,
            ]
            page.run(f"void (globalThis.phone = new Phone(...{json.dumps(about)}))")
            assert page.run("phone.register()") == 200
            yield page

    return run


@everywhere
@pytest.mark.parametrize(
    ("over", "encryption", "codec"),
    [("ws", "none", "audio/PCMU"), ("wss", "sdes", "audio/G722")],
)
def test_a_browser_and_a_contact_hear_each_other(
    service, directory, contact_phone, browser, over, encryption, codec
):
    hears_contact = f"Math.abs(phone.heard() - {CONTACT_HERTZ}) < 20"
    codecs = [codec.removeprefix("audio/")]
    with contact_phone() as contact:
        there = directory(contact.port, codecs=codecs)
        service.request("PATCH", f"/users/{there.user_id}", media_encryption=encryption)
        with browser(there, codec=codec, over=over) as page:
            call = service.place(
                user_id=there.user_id,
                contact_phone_number=CONTACT,
                line_phone_number=there.line,
            )
            contact.wait_for("CALL_ESTABLISHED")
            page.wait_until(hears_contact)
            contact.listen(TALK_SECONDS + 1)
            contact.wait_for("CALL_RTCP")
            # Hold and resume, as another network would have it too: with a restart of ICE.
            assert page.run("phone.offer('sendonly')") == 200
            page.wait_until("phone.heard() === null")
            assert page.run("phone.offer('sendrecv', true)") == 200
            page.wait_until(hears_contact)
            [transport] = page.run("phone.stats('transport')")
            assert page.run("phone.hangUp()") == 200
        contact.wait_for("CALL_CLOSED")
        record = service.ended(call)

    assert (record["outcome"], record["ended_by"]) == ("connected", "agent")
    assert (transport["dtlsState"], transport["dtlsRole"]) == ("connected", "client")
    assert seconds_of(contact, AGENT_HERTZ) > TALK_SECONDS
    assert [leg["codec"] for leg in record["legs"]] == 2 * codecs
    assert all(leg["quality"]["packets_received"] > 0 for leg in record["legs"])
    assert "ice-pwd" not in json.dumps(record)


@everywhere
def test_a_browser_that_has_not_the_certificate_that_it_describes_is_hung_up(
    service, directory, contact_phone, browser
):
    with contact_phone() as contact:
        there = directory(contact.port)
        with browser(there) as page:
            other = f"sha-256 {':'.join(['AB'] * 32)}"
            page.run(
                f"void (phone.changed = (sdp) => sdp.replace(/sha-256 [0-9A-F:]+/, {other!r}))"
            )
            call = service.place(
                user_id=there.user_id,
                contact_phone_number=CONTACT,
                line_phone_number=there.line,
            )
            page.wait_until("phone.events.includes('BYE')")
            record = service.ended(call)

    assert record["ended_by"] == "system"
    agent = record["legs"][0]
    # A node that is told of the certificate before the handshake ends that without a word.
    assert agent["reason"] in (NOT_PROVED, NOT_SECURED)
    assert agent["quality"]["packets_received"] == 0


def test_a_browser_whose_page_is_closed_has_hung_up(service, directory, contact_phone, browser):
    with contact_phone() as contact:
        there = directory(contact.port)
        with browser(there) as page:
            call = service.place(
                user_id=there.user_id,
                contact_phone_number=CONTACT,
                line_phone_number=there.line,
            )
            contact.wait_for("CALL_ESTABLISHED")
            page.wait_until(f"Math.abs(phone.heard() - {CONTACT_HERTZ}) < 20")
            page.run("void location.assign('about:blank')")
            contact.wait_for("CALL_CLOSED")
        record = service.ended(call)

    assert (record["outcome"], record["ended_by"]) == ("connected", "system")
    assert record["legs"][0]["reason"] == "the browser has closed its audio"
