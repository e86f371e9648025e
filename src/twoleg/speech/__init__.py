"""Speech: texts become audio, and dates and times become words."""

from twoleg.speech.speaker import MAX_TEXT, Speaker, SpeechFailed
from twoleg.speech.templates import Template, TemplateError, Variable
from twoleg.speech.times import spoken_date, spoken_time
from twoleg.speech.voices import UnknownLanguage, UnusableVoice, Voice, Voices, voice_for

__all__ = [
    "MAX_TEXT",
    "Speaker",
    "SpeechFailed",
    "Template",
    "TemplateError",
    "UnknownLanguage",
    "UnusableVoice",
    "Variable",
    "Voice",
    "Voices",
    "spoken_date",
    "spoken_time",
    "voice_for",
]
