"""RTP: ports, bridges, prompts, digits and quality figures of the calls' legs."""

from twoleg.media.audio import Audio
from twoleg.media.bridge import Bridge
from twoleg.media.codec import Codec
from twoleg.media.decoding import Decoder
from twoleg.media.goertzel import dominant_tone, tone_levels
from twoleg.media.incoming import AudioTrack, CodecMismatch
from twoleg.media.machine_detection import AnsweredBy, MachineDetector, Sign, Verdict
from twoleg.media.own_end import KeyAgreement, OwnEnd
from twoleg.media.plane import EmbeddedPlane
from twoleg.media.playback import NotConnected, Playback
from twoleg.media.port import MediaPort
from twoleg.media.port_listener import PortListener
from twoleg.media.ports import NoPortsLeft
from twoleg.media.pure_tone import SILENCE_DBFS, level_of
from twoleg.media.quality import Quality
from twoleg.media.raw_recording import RawHeader, UnreadableRecording, read_header
from twoleg.media.recorder import RAW_SUFFIX, Recorder, Recording
from twoleg.media.recording_wav import RenderedRecording, render_recording
from twoleg.media.remote import RemoteStream
from twoleg.media.srtp import SrtpKeys, SrtpSuite
from twoleg.media.tones import ToneBook, dtmf, steady
from twoleg.media.waits import PortClosed
from twoleg.media.wav import UnusableAudio, WavEncoding, WavWriter, wav_of
from twoleg.media.webrtc.terms import WebRtcTerms

__all__ = [
    "RAW_SUFFIX",
    "SILENCE_DBFS",
    "AnsweredBy",
    "Audio",
    "AudioTrack",
    "Bridge",
    "Codec",
    "CodecMismatch",
    "Decoder",
    "EmbeddedPlane",
    "KeyAgreement",
    "MachineDetector",
    "MediaPort",
    "NoPortsLeft",
    "NotConnected",
    "OwnEnd",
    "Playback",
    "PortClosed",
    "PortListener",
    "Quality",
    "RawHeader",
    "Recorder",
    "Recording",
    "RemoteStream",
    "RenderedRecording",
    "Sign",
    "SrtpKeys",
    "SrtpSuite",
    "ToneBook",
    "UnreadableRecording",
    "UnusableAudio",
    "Verdict",
    "WavEncoding",
    "WavWriter",
    "WebRtcTerms",
    "dominant_tone",
    "dtmf",
    "level_of",
    "read_header",
    "render_recording",
    "steady",
    "tone_levels",
    "wav_of",
]
