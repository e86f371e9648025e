"""Whatever a far end offers and answers, our descriptions stay lawful."""

from hypothesis import given
from hypothesis import strategies as st
from sip.sdp.sessions import HEAD, media_lines, new_session, sdp, version

from twoleg.sip.errors import LocalProtocolError, SessionRejected
from twoleg.sip.sdp import SessionDescription

numbers = st.sampled_from([0, 8, 9, 13, 18, 96, 101, 127])
mappings = st.builds(
    "a=rtpmap:{} {}/{}".format,
    numbers,
    st.sampled_from(["PCMU", "pcma", "G722", "telephone-event", "opus", ""]),
    st.sampled_from([8000, 16000, 48000, "x"]),
)
media = st.builds(
    "m={} {} {} {}".format,
    st.sampled_from(["audio", "audio", "video"]),
    st.sampled_from([0, 5000, 65535]),
    st.sampled_from(["RTP/AVP", "RTP/AVP", "rtp/avpf", "RTP/SAVP"]),
    st.lists(numbers, max_size=5).map(lambda found: " ".join(map(str, found))),
)
others = st.sampled_from(
    [
        *("a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0", "c=IN IP4 203.0.113.9", "a=rtcp-mux"),
        *("a=rtcp:1 IN IP4 ::1", "a=ptime:30", "b=RS:0", "b=RR:0"),
    ]
)
descriptions = st.lists(st.one_of(media, mappings, others), max_size=10).map(lambda x: sdp(*x))


@given(st.lists(st.tuples(st.sampled_from(["offer", "peer", "answer", "drop"]), descriptions)))
def test_through_any_exchange_our_descriptions_stay_lawful(steps):
    session = new_session()
    lines: list[str] = []
    last_version = 0
    for step, body in steps:
        sent = None
        try:
            if step == "offer":
                sent = session.create_offer()
            elif step == "peer":
                sent, _ = session.answer_offer(body)
                asked = SessionDescription.parse(body)
                answered = SessionDescription.parse(sent)
                assert [m.kind for m in answered.media] == [m.kind for m in asked.media]
                for theirs, ours in zip(asked.media, answered.media, strict=True):
                    assert set(ours.formats) <= {*theirs.formats, "0"}
                lines = []
            elif step == "answer":
                session.accept_answer(body)
            else:
                session.abandon_offer()
        except (SessionRejected, LocalProtocolError):
            continue
        if sent is not None:
            kinds = [line.split()[0] for line in media_lines(sent)]
            assert len(kinds) >= len(lines)
            lines = kinds
            assert last_version <= version(sent) <= last_version + 1
            last_version = version(sent)
            assert sum(m.port != 0 for m in SessionDescription.parse(sent).media) == 1


@given(st.binary(max_size=200))
def test_any_offer_is_answered_or_rejected(body):
    for candidate in (body, HEAD.encode() + body):
        session = new_session()
        try:
            session.answer_offer(candidate)
        except SessionRejected:
            assert session.agreed is None
