"""SIP without I/O: messages, session descriptions, digest, transactions, dialogs, a user agent.

Bytes, wishes and the time go in; bytes to send, events and the next deadline come out.
"""

from twoleg.sip.agreed_audio import AgreedAudio, LocalAudio
from twoleg.sip.audio_formats import G722, PCMA, PCMU, TELEPHONE_EVENT, AudioFormat
from twoleg.sip.dialogs import DialogIdentity, destination_of
from twoleg.sip.digest import (
    Authorization,
    Credentials,
    DigestAlgorithm,
    DigestClient,
    make_ha1s,
)
from twoleg.sip.digest_verifier import DigestVerdict, DigestVerifier
from twoleg.sip.errors import (
    InvalidValue,
    LocalProtocolError,
    RemoteProtocolError,
    SessionRejected,
    SipError,
)
from twoleg.sip.events import (
    Answered,
    DestinationFailed,
    Ended,
    Established,
    Event,
    InfoReceived,
    Invited,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWanted,
    Progress,
    RefusalCause,
    Refused,
    RequestCompleted,
    RequestReceived,
)
from twoleg.sip.fields import CSeq, NameAddr, Reason, Via
from twoleg.sip.headers import Headers
from twoleg.sip.interface import (
    Counters,
    HeaderFields,
    Invitation,
    Outgoing,
    OutOfDialogRequest,
    ResponseSpec,
    UserAgentConfig,
)
from twoleg.sip.invite_identity import InviteIdentity
from twoleg.sip.key_exchange import StreamKeys
from twoleg.sip.leg import LegGone
from twoleg.sip.message import Request, Response, reason_phrase
from twoleg.sip.offer_answer import AudioSession
from twoleg.sip.parser import parse_message
from twoleg.sip.refer import SIPFRAG, Refer, refer_news, refer_of
from twoleg.sip.registrar import (
    Binding,
    RegistrarResult,
    RegistrarRules,
    flow_from_json,
    flow_to_json,
    register,
)
from twoleg.sip.registration import (
    Registration,
    RegistrationConfig,
    RegistrationFailure,
    RegistrationState,
)
from twoleg.sip.sdes import CryptoSuite
from twoleg.sip.sdp import Direction, MalformedDescription, SessionDescription
from twoleg.sip.stream import KeepAlive, StreamParser
from twoleg.sip.transport import Address, Destination, Flow, Transport
from twoleg.sip.uri import OtherUri, SipUri, TelUri, Uri, parse_uri
from twoleg.sip.user_agent import UserAgent
from twoleg.sip.webrtc import IceCredentials, WebRtc

__all__ = [
    "G722",
    "PCMA",
    "PCMU",
    "SIPFRAG",
    "TELEPHONE_EVENT",
    "Address",
    "AgreedAudio",
    "Answered",
    "AudioFormat",
    "AudioSession",
    "Authorization",
    "Binding",
    "CSeq",
    "Counters",
    "Credentials",
    "CryptoSuite",
    "Destination",
    "DestinationFailed",
    "DialogIdentity",
    "DigestAlgorithm",
    "DigestClient",
    "DigestVerdict",
    "DigestVerifier",
    "Direction",
    "Ended",
    "Established",
    "Event",
    "Flow",
    "HeaderFields",
    "Headers",
    "IceCredentials",
    "InfoReceived",
    "InvalidValue",
    "Invitation",
    "InviteIdentity",
    "Invited",
    "KeepAlive",
    "LegGone",
    "LocalAudio",
    "LocalProtocolError",
    "MalformedDescription",
    "NameAddr",
    "OfferAnswered",
    "OfferRefused",
    "OfferWanted",
    "Offered",
    "OtherUri",
    "OutOfDialogRequest",
    "Outgoing",
    "Progress",
    "Reason",
    "Refer",
    "RefusalCause",
    "Refused",
    "RegistrarResult",
    "RegistrarRules",
    "Registration",
    "RegistrationConfig",
    "RegistrationFailure",
    "RegistrationState",
    "RemoteProtocolError",
    "Request",
    "RequestCompleted",
    "RequestReceived",
    "Response",
    "ResponseSpec",
    "SessionDescription",
    "SessionRejected",
    "SipError",
    "SipUri",
    "StreamKeys",
    "StreamParser",
    "TelUri",
    "Transport",
    "Uri",
    "UserAgent",
    "UserAgentConfig",
    "Via",
    "WebRtc",
    "destination_of",
    "flow_from_json",
    "flow_to_json",
    "make_ha1s",
    "parse_message",
    "parse_uri",
    "reason_phrase",
    "refer_news",
    "refer_of",
    "register",
]
