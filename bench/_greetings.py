"""Greetings as people and machines say them, spoken by espeak-ng as a telephone carries them.

The same seed gives the same recordings. Levels are dBm0 of the speech while it lasts; noise, a
G.711 law, pauses, voices and speeds are drawn by chance.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from operator import mul

from twoleg.media.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from twoleg.speech.program import Espeak

RATE = 8000
SECONDS = 26.0
"""How much there is of each recording at most."""

LEVELS = (-10.0, -16.0, -22.0, -28.0, -34.0, -40.0)
FULL_SCALE_DBM0 = 3.14
BEEP_HERTZ = (425, 440, 620, 800, 850, 950, 1000, 1100, 1200, 1400, 1600, 1800, 2000, 2450)
SYLLABLE_SECONDS = 0.2
VARIANTS = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f3", "+f4")

PEOPLE = {
    "en": (
        "Hello?",
        "Hello.",
        "Yes?",
        "Hi!",
        "Miller.",
        "Yes, Miller speaking.",
        "Hello, this is Anna.",
        "Hello, who is this?",
        "Good morning, Anna Miller.",
        "Hello? Hello?",
        "Doctor Gray's office, good morning.",
        "Miller and Sons, this is Peter speaking.",
        "Good afternoon, Acme Dental, Sarah speaking, how can I help you?",
    ),
    "de": (
        "Hallo?",
        "Ja?",
        "Müller.",
        "Ja, Müller, hallo?",
        "Anna Müller, guten Tag.",
        "Praxis Doktor Weber, guten Morgen.",
        "Autohaus Schmidt, mein Name ist Weber, was kann ich für Sie tun?",
    ),
    "es": ("¿Diga?", "¿Sí?", "¿Hola?", "Hola, soy María.", "¿Bueno, quién habla?"),
    "fr": (
        "Allô?",
        "Oui?",
        "Oui, allô?",
        "Allô oui, Martin à l'appareil.",
        "Cabinet Martin, bonjour.",
    ),
    "it": ("Pronto?", "Sì?", "Pronto, chi parla?", "Buongiorno, studio Rossi."),
    "nl": ("Hallo?", "Met Anna.", "Met De Vries, goedemorgen.", "Ja?"),
    "pt": ("Está?", "Alô?", "Sim?", "Bom dia, fala a Maria."),
}
MACHINES = {
    "en": (
        "Hi, this is Peter. Please leave a message.",
        (
            "Hello. You have reached Anna Miller. I cannot take your call right now. Please leave "
            "your name and number after the tone, and I will call you back."
        ),
        (
            "The person you are calling is not available. At the tone, please record your "
            "message. When you have finished recording, you may hang up, or press 1 for more "
            "options."
        ),
        (
            "Your call has been forwarded to an automatic voice message system. 8 1 8, 1 2 7, 6 5 "
            "4 3, is not available. At the tone, please record your message."
        ),
        (
            "Thank you for calling Miller and Sons. Our office is closed now. We are open from "
            "Monday to Friday, from nine to five. Please leave a message after the beep, and "
            "somebody will get back to you on the next working day. In an emergency please call "
            "our other number."
        ),
        "You've reached the voicemail of Sarah. Leave a message.",
    ),
    "de": (
        (
            "Hallo, hier ist die Mailbox von Peter Müller. Bitte hinterlassen Sie eine Nachricht "
            "nach dem Signalton."
        ),
        (
            "Der gewünschte Gesprächspartner ist zurzeit nicht erreichbar. Bitte sprechen Sie "
            "nach dem Ton."
        ),
        (
            "Guten Tag. Sie haben die Praxis von Doktor Weber angerufen. Wir sind zurzeit nicht "
            "da. Unsere Sprechzeiten sind montags bis freitags von acht bis zwölf Uhr. "
            "Hinterlassen Sie bitte Ihren Namen und Ihre Nummer, wir rufen zurück."
        ),
    ),
    "es": (
        "Hola, ha llamado a María. Ahora no puedo contestar. Deje su mensaje después de la señal.",
        "El teléfono al que llama está apagado o fuera de cobertura. Deje un mensaje, por favor.",
    ),
    "fr": (
        (
            "Bonjour, vous êtes bien sur le répondeur de Marie Martin. Je ne suis pas disponible. "
            "Laissez-moi un message après le bip."
        ),
        "Votre correspondant n'est pas disponible. Veuillez laisser un message après le signal.",
    ),
    "it": (
        (
            "Risponde la segreteria telefonica di Mario Rossi. Lasciate un messaggio dopo il "
            "segnale acustico."
        ),
        "La persona chiamata non è al momento raggiungibile. Lasci un messaggio.",
    ),
    "nl": (
        (
            "Dit is de voicemail van Anna de Vries. Spreek een bericht in na de pieptoon, dan bel "
            "ik u terug."
        ),
    ),
    "pt": (
        "Olá, ligou para a Maria. De momento não posso atender. Deixe a sua mensagem após o sinal.",
    ),
}


class Kind(StrEnum):
    """What is at the far end."""

    PERSON = "person"
    MACHINE = "machine"
    NOBODY = "nobody"
    """A tone, ringing, noise, silence."""


@dataclass(frozen=True)
class Recording:
    """What is heard from the answer on; `beep_at` is when a beep has ended, in seconds."""

    kind: Kind
    name: str
    level: float
    greeting_seconds: float
    beep_at: float | None
    samples: array[int]


def recordings(kind: Kind, count: int, seed: int) -> Iterator[Recording]:
    """Make so many recordings, every level as often as the others."""
    make = {Kind.PERSON: _person, Kind.MACHINE: _machine, Kind.NOBODY: _nobody}[kind]
    for number in range(count):
        chance = random.Random(f"{kind} {seed} {number}")
        yield make(chance, LEVELS[number % len(LEVELS)])


def _person(chance: random.Random, level: float) -> Recording:
    said, text = _spoken(chance, PEOPLE)
    # Whoever hears nothing, or the wrong thing, asks again.
    again, _ = _spoken(chance, {"en": ("Hello?", "Yes?", "Who is there?")})
    parts = [
        _silence(chance.uniform(0.1, 1.2)),
        _at(said, level),
        _silence(chance.uniform(2.0, 4.0)),
        _at(again, level),
    ]
    seconds = len(said) / RATE
    return Recording(
        Kind.PERSON, text, level, seconds, None, _carried(chance, parts, level, seconds=12.0)
    )


def _machine(chance: random.Random, level: float) -> Recording:
    said, text = _spoken(chance, MACHINES)
    parts = [_silence(chance.uniform(0.1, 1.5))]
    if chance.random() < 0.25:
        parts += [_at(_tune(chance), level), _silence(chance.uniform(0.1, 0.4))]
    parts += [_at(said, level), _silence(chance.uniform(0.2, 1.3))]
    beep = _tone(chance.choice(BEEP_HERTZ), chance.choice((0.15, 0.2, 0.3, 0.5, 0.8, 1.0)))
    parts.append(_at(beep, max(-34.0, level + chance.uniform(-4.0, 6.0))))
    beep_at = sum(map(len, parts)) / RATE
    samples = _carried(chance, parts, level, seconds=beep_at + 1.5)
    return Recording(Kind.MACHINE, text, level, len(said) / RATE, beep_at, samples)


def _nobody(chance: random.Random, level: float) -> Recording:
    name = chance.choice(("ringing 440+480", "ringing 425", "tone 440", "fax 2100", "noise"))
    match name:
        case "ringing 440+480":
            part = array("h")
            for _ in range(3):
                part += _tones((440, 480), 2.0) + _silence(4.0)
        case "ringing 425":
            part = array("h")
            for _ in range(3):
                part += _tone(425, 1.0) + _silence(4.0)
        case "tone 440":
            part = _tone(440, 15.0)
        case "fax 2100":
            part = _silence(0.4) + _tone(2100, 3.3) + _silence(8.0)
        case _:
            part = _silence(15.0)
    parts = [_silence(chance.uniform(0.1, 0.8)), _at(part, level)]
    return Recording(
        Kind.NOBODY, name, level, 0.0, None, _carried(chance, parts, level, seconds=15.0)
    )


def _spoken(chance: random.Random, texts: dict[str, tuple[str, ...]]) -> tuple[array[int], str]:
    every = [(language, text) for language, spoken in texts.items() for text in spoken]
    language, text = chance.choice(every)
    voice = language + chance.choice(VARIANTS)
    return _speech(text, voice, chance.choice((140, 155, 170, 190))), f"{voice}: {text}"


@cache
def _voice() -> Espeak:
    return Espeak()


@cache
def _speech(text: str, voice: str, words_per_minute: int) -> array[int]:
    samples = array("h")
    samples.frombytes(_voice().speak(text, voice, words_per_minute)[RATE])
    # The library ends each text with silence of its own.
    while samples and abs(samples[-1]) < 50:
        samples.pop()
    return samples


def _tune(chance: random.Random) -> array[int]:
    """Three notes, as answering services like to begin."""
    root = chance.choice((523.3, 587.3, 659.3))
    tune = array("h")
    for ratio in (1.0, 1.26, 1.5):
        tune += _tones((root * ratio, root * ratio * 2), chance.choice((0.2, 0.3)))
    return tune


def _tone(hertz: float, seconds: float) -> array[int]:
    return _tones((hertz,), seconds)


def _tones(hertz: tuple[float, ...], seconds: float) -> array[int]:
    peak = 20000 / len(hertz)
    return array(
        "h",
        [
            round(sum(peak * math.sin(2 * math.pi * each * n / RATE) for each in hertz))
            for n in range(round(seconds * RATE))
        ],
    )


def _silence(seconds: float) -> array[int]:
    return array("h", bytes(2 * round(RATE * seconds)))


def _at(samples: array[int], level: float) -> array[int]:
    """Bring what is not silence in it to a level in dBm0."""
    energy = loud = 0
    for start in range(0, len(samples), 160):
        frame = samples[start : start + 160]
        part = sum(map(mul, frame, frame))
        if part > len(frame) * 10_000:
            energy += part
            loud += len(frame)
    factor = _amplitude(level) / math.sqrt(2 * energy / loud) if loud else 1.0
    return array("h", [max(-32768, min(32767, round(each * factor))) for each in samples])


def _amplitude(level: float) -> float:
    return 32768 * 10 ** ((level - FULL_SCALE_DBM0) / 20)


def _carried(
    chance: random.Random, parts: list[array[int]], level: float, seconds: float
) -> array[int]:
    """Add the noise of a room and of the line, and pass it through one of the G.711 laws."""
    samples = array("h")
    for part in parts:
        samples += part
    count = round(min(seconds, SECONDS) * RATE)
    samples = (samples + _silence(max(0.0, seconds - len(samples) / RATE)))[:count]
    distance = chance.choice((12.0, 18.0, 24.0, 30.0, 60.0))
    loud = max(-75.0, level - distance)
    noise, start = _noise(chance.random() < 0.5), chance.randrange(RATE * 20)
    factor = _amplitude(loud) / math.sqrt(2) / 1000
    noisy = array("h")
    for offset in range(0, count, RATE * 20):
        piece = samples[offset : offset + RATE * 20]
        noisy.extend(
            max(-32768, min(32767, round(sample + factor * sound)))
            for sample, sound in zip(piece, noise[start:] + noise[:start], strict=False)
        )
    if chance.random() < 0.5:
        return decode_ulaw(encode_ulaw(noisy))
    return decode_alaw(encode_alaw(noisy))


@cache
def _noise(is_room: bool) -> array[float]:
    """Twenty seconds of noise with a mean square of 1000 * 1000: white, or deep as in a room."""
    chance = random.Random("noise")
    noise = array("d")
    last = 0.0
    for _ in range(RATE * 20):
        white = chance.gauss(0.0, 1.0)
        last = 0.9 * last + white if is_room else white
        noise.append(last)
    scale = 1000 / math.sqrt(sum(map(mul, noise, noise)) / len(noise))
    return array("d", [each * scale for each in noise])
