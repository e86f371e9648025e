"""An audio stream of ours, and descriptions that a far end may send for it."""

from twoleg.sip.agreed_audio import AgreedAudio, LocalAudio
from twoleg.sip.audio_formats import G722, PCMA, PCMU, TELEPHONE_EVENT
from twoleg.sip.offer_answer import AudioSession
from twoleg.sip.sdp import Direction, SessionDescription

LOCAL = LocalAudio("192.0.2.1", 4000, (PCMU, PCMA, G722, TELEPHONE_EVENT))
HEAD = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"


def sdp(*media: str, head: str = HEAD) -> bytes:
    return (head + "".join(f"{line}\r\n" for line in media)).encode()


def new_session(local: LocalAudio = LOCAL) -> AudioSession:
    return AudioSession(local, 42)


def version(body: bytes) -> int:
    origin = SessionDescription.parse(body).origin
    assert origin is not None
    return int(origin.version)


def media_lines(body: bytes) -> list[str]:
    return [line for line in body.decode().split("\r\n") if line.startswith("m=")]


def direction(body: bytes) -> Direction:
    read = SessionDescription.parse(body)
    (audio,) = (m for m in read.media if m.kind == "audio" and m.port)
    return read.direction_of(audio)


def offer_and_answer(session: AudioSession, *answer: str) -> AgreedAudio:
    session.create_offer()
    return session.accept_answer(sdp(*answer))
