"""SIP without I/O: messages, session descriptions, digest, transactions, dialogs, a user agent.

Bytes, wishes and the time go in; bytes to send, events and the next deadline come out.
"""

from twoleg.sip.errors import InvalidValue, LocalProtocolError, RemoteProtocolError, SipError
from twoleg.sip.fields import CSeq, NameAddr, Reason, Via
from twoleg.sip.headers import Headers
from twoleg.sip.message import Request, Response, reason_phrase
from twoleg.sip.offer_answer import (
    G722,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    AgreedAudio,
    AudioFormat,
    AudioSession,
    LocalAudio,
    SessionRejected,
)
from twoleg.sip.parser import KeepAlive, StreamParser, parse_message
from twoleg.sip.sdp import Direction
from twoleg.sip.transport import Address, Destination, Flow, Transport
from twoleg.sip.uri import OtherUri, SipUri, TelUri, parse_uri

__all__ = [
    "G722",
    "PCMA",
    "PCMU",
    "TELEPHONE_EVENT",
    "Address",
    "AgreedAudio",
    "AudioFormat",
    "AudioSession",
    "CSeq",
    "Destination",
    "Direction",
    "Flow",
    "Headers",
    "InvalidValue",
    "KeepAlive",
    "LocalAudio",
    "LocalProtocolError",
    "NameAddr",
    "OtherUri",
    "Reason",
    "RemoteProtocolError",
    "Request",
    "Response",
    "SessionRejected",
    "SipError",
    "SipUri",
    "StreamParser",
    "TelUri",
    "Transport",
    "Via",
    "parse_message",
    "parse_uri",
    "reason_phrase",
]
