"""What the product itself says to those on the line, in their languages."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

DEFAULT_LANGUAGE: Final = "en"
"""For whoever's language is not known, or not among `LANGUAGES`."""


class Phrase(StrEnum):
    """A sentence that is spoken on a call; its texts are in `TEXTS`."""

    PRESS_ONE = "press_one"
    """To an agent who answered, again and again until a digit comes."""

    COMFORT = "comfort"
    """To a contact who is on the line before an agent is."""

    RECORDED = "recorded"
    """To both, before a call is recorded."""

    MACHINE = "machine"
    """To an agent whose contact's machine has answered, before the call ends."""

    HOLD = "hold"
    """To whom the other side has put on hold, between stretches of music."""


TEXTS: Final[Mapping[Phrase, Mapping[str, str]]] = MappingProxyType(
    {
        Phrase.PRESS_ONE: {
            "en": "Press 1 to take the call.",
            "de": "Drücken Sie die 1, um den Anruf anzunehmen.",
            "es": "Pulse 1 para aceptar la llamada.",
            "fr": "Appuyez sur la touche 1 pour prendre l'appel.",
            "it": "Premere 1 per accettare la chiamata.",
            "nl": "Druk op 1 om het gesprek aan te nemen.",
            "pt": "Prima 1 para atender a chamada.",
        },
        Phrase.COMFORT: {
            "en": "One moment please. We are connecting you.",
            "de": "Einen Moment bitte. Sie werden verbunden.",
            "es": "Un momento, por favor. Le estamos conectando.",
            "fr": "Un instant, s'il vous plaît. Nous vous mettons en relation.",
            "it": "Un momento, per favore. La stiamo collegando.",
            "nl": "Een ogenblik alstublieft. U wordt doorverbonden.",
            "pt": "Um momento, por favor. Estamos a ligar a sua chamada.",
        },
        Phrase.RECORDED: {
            "en": "This call is recorded.",
            "de": "Dieses Gespräch wird aufgezeichnet.",
            "es": "Esta llamada se está grabando.",
            "fr": "Cet appel est enregistré.",
            "it": "Questa chiamata viene registrata.",
            "nl": "Dit gesprek wordt opgenomen.",
            "pt": "Esta chamada está a ser gravada.",
        },
        Phrase.MACHINE: {
            "en": "An answering machine took the call.",
            "de": "Ein Anrufbeantworter hat den Anruf angenommen.",
            "es": "Ha contestado un buzón de voz.",
            "fr": "Un répondeur a pris l'appel.",
            "it": "Ha risposto una segreteria telefonica.",
            "nl": "Een voicemail heeft opgenomen.",
            "pt": "Um atendedor automático atendeu a chamada.",
        },
        Phrase.HOLD: {
            "en": "Please hold the line.",
            "de": "Bitte bleiben Sie am Apparat.",
            "es": "Por favor, permanezca a la espera.",
            "fr": "Veuillez rester en ligne, s'il vous plaît.",
            "it": "Rimanga in linea, per favore.",
            "nl": "Blijf aan de lijn alstublieft.",
            "pt": "Por favor, aguarde em linha.",
        },
    }
)
"""By phrase, then by language (ISO 639-1); every phrase has every one of `LANGUAGES`."""

LANGUAGES: Final = ("de", "en", "es", "fr", "it", "nl", "pt")

_BY_COUNTRY: Final = MappingProxyType(
    {
        language: countries.split()
        for language, countries in {
            "de": "AT CH DE LI",
            "es": "AR BO CL CO CR CU DO EC ES GT HN MX NI PA PE PY SV UY VE",
            "fr": "BE FR LU MC",
            "it": "IT SM VA",
            "nl": "NL SR",
            "pt": "AO BR CV MZ PT",
        }.items()
    }
)
_LANGUAGE_OF: Final = {
    country: language for language, countries in _BY_COUNTRY.items() for country in countries
}


def language_for(language: str | None, country: str | None = None) -> str:
    """Choose one of `LANGUAGES`: that of a tag ("de-CH"), else the one most spoken in a country.

    The country is an ISO 3166 code. Where neither helps it is `DEFAULT_LANGUAGE`.
    """
    wanted = _primary(language or "")
    if wanted in LANGUAGES:
        return wanted
    return _LANGUAGE_OF.get((country or "").upper(), DEFAULT_LANGUAGE)


def speaks(language: str) -> bool:
    """Tell whether a tag ("de-CH") is of one of `LANGUAGES`."""
    return _primary(language) in LANGUAGES


def _primary(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()


def text_of(phrase: Phrase, language: str | None) -> str:
    """Return what is said, in a language as `language_for` takes it."""
    return TEXTS[phrase][language_for(language)]
