"""What a reminder call says beside the plan's own text, in the languages of the product."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from twoleg.calls.phrases import language_for


class Sentence(StrEnum):
    """A sentence of a reminder call."""

    PRESS_1_CONFIRM = "press_1_confirm"
    PRESS_2_RESCHEDULE = "press_2_reschedule"
    PRESS_2_CANCEL = "press_2_cancel"
    PRESS_3_STAFF = "press_3_staff"
    PRESS_9_OPT_OUT = "press_9_opt_out"
    PRESS_STAR_REPEAT = "press_star_repeat"
    CONFIRMED = "confirmed"
    RESCHEDULE_NOTED = "reschedule_noted"
    CANCELLED = "cancelled"
    STAFF_NOT_FREE = "staff_not_free"
    OPT_OUT_SURE = "opt_out_sure"
    OPTED_OUT = "opted_out"
    NOT_UNDERSTOOD = "not_understood"
    GOODBYE = "goodbye"


_S: Final = Sentence
_TEXTS: Final[Mapping[str, Mapping[Sentence, str]]] = MappingProxyType(
    {
        "en": {
            _S.PRESS_1_CONFIRM: "To confirm, press 1.",
            _S.PRESS_2_RESCHEDULE: "For another time, press 2.",
            _S.PRESS_2_CANCEL: "To cancel, press 2.",
            _S.PRESS_3_STAFF: "To talk to us, press 3.",
            _S.PRESS_9_OPT_OUT: "For no more calls like this, press 9.",
            _S.PRESS_STAR_REPEAT: "To hear this again, press star.",
            _S.CONFIRMED: "Thank you. Your appointment is confirmed. Goodbye.",
            _S.RESCHEDULE_NOTED: "Thank you. We will call you to find another time. Goodbye.",
            _S.CANCELLED: "Your appointment is cancelled. Goodbye.",
            _S.STAFF_NOT_FREE: "Nobody is free just now. We will call you back. Goodbye.",
            _S.OPT_OUT_SURE: "To be called no more, press 9 again.",
            _S.OPTED_OUT: "We will not call you again. Goodbye.",
            _S.NOT_UNDERSTOOD: "Sorry, that is not among the choices.",
            _S.GOODBYE: "Goodbye.",
        },
        "de": {
            _S.PRESS_1_CONFIRM: "Zum Bestätigen drücken Sie die 1.",
            _S.PRESS_2_RESCHEDULE: "Für einen anderen Termin drücken Sie die 2.",
            _S.PRESS_2_CANCEL: "Zum Absagen drücken Sie die 2.",
            _S.PRESS_3_STAFF: "Um mit uns zu sprechen, drücken Sie die 3.",
            _S.PRESS_9_OPT_OUT: "Wenn Sie keine solchen Anrufe wünschen, drücken Sie die 9.",
            _S.PRESS_STAR_REPEAT: "Zum Wiederholen drücken Sie die Sterntaste.",
            _S.CONFIRMED: "Danke. Ihr Termin ist bestätigt. Auf Wiederhören.",
            _S.RESCHEDULE_NOTED: "Danke. Wir rufen Sie wegen eines anderen Termins an.",
            _S.CANCELLED: "Ihr Termin ist abgesagt. Auf Wiederhören.",
            _S.STAFF_NOT_FREE: "Gerade ist niemand frei. Wir rufen Sie zurück.",
            _S.OPT_OUT_SURE: "Um nicht mehr angerufen zu werden, drücken Sie noch einmal die 9.",
            _S.OPTED_OUT: "Wir rufen Sie nicht mehr an. Auf Wiederhören.",
            _S.NOT_UNDERSTOOD: "Das gehört leider nicht zur Auswahl.",
            _S.GOODBYE: "Auf Wiederhören.",
        },
        "es": {
            _S.PRESS_1_CONFIRM: "Para confirmar, pulse 1.",
            _S.PRESS_2_RESCHEDULE: "Para otra hora, pulse 2.",
            _S.PRESS_2_CANCEL: "Para cancelar, pulse 2.",
            _S.PRESS_3_STAFF: "Para hablar con nosotros, pulse 3.",
            _S.PRESS_9_OPT_OUT: "Para no recibir más llamadas como esta, pulse 9.",
            _S.PRESS_STAR_REPEAT: "Para escucharlo de nuevo, pulse asterisco.",
            _S.CONFIRMED: "Gracias. Su cita está confirmada. Adiós.",
            _S.RESCHEDULE_NOTED: "Gracias. Le llamaremos para buscar otra hora. Adiós.",
            _S.CANCELLED: "Su cita está cancelada. Adiós.",
            _S.STAFF_NOT_FREE: "Ahora no hay nadie libre. Le llamaremos. Adiós.",
            _S.OPT_OUT_SURE: "Para no recibir más llamadas, pulse 9 otra vez.",
            _S.OPTED_OUT: "No le llamaremos más. Adiós.",
            _S.NOT_UNDERSTOOD: "Lo siento, esa opción no existe.",
            _S.GOODBYE: "Adiós.",
        },
        "fr": {
            _S.PRESS_1_CONFIRM: "Pour confirmer, appuyez sur 1.",
            _S.PRESS_2_RESCHEDULE: "Pour un autre horaire, appuyez sur 2.",
            _S.PRESS_2_CANCEL: "Pour annuler, appuyez sur 2.",
            _S.PRESS_3_STAFF: "Pour nous parler, appuyez sur 3.",
            _S.PRESS_9_OPT_OUT: "Pour ne plus recevoir ces appels, appuyez sur 9.",
            _S.PRESS_STAR_REPEAT: "Pour réécouter, appuyez sur étoile.",
            _S.CONFIRMED: "Merci. Votre rendez-vous est confirmé. Au revoir.",
            _S.RESCHEDULE_NOTED: "Merci. Nous vous rappellerons pour un autre horaire.",
            _S.CANCELLED: "Votre rendez-vous est annulé. Au revoir.",
            _S.STAFF_NOT_FREE: "Personne n'est disponible. Nous vous rappellerons.",
            _S.OPT_OUT_SURE: "Pour ne plus être appelé, appuyez encore sur 9.",
            _S.OPTED_OUT: "Nous ne vous appellerons plus. Au revoir.",
            _S.NOT_UNDERSTOOD: "Désolé, ce choix n'existe pas.",
            _S.GOODBYE: "Au revoir.",
        },
        "it": {
            _S.PRESS_1_CONFIRM: "Per confermare, premere 1.",
            _S.PRESS_2_RESCHEDULE: "Per un altro orario, premere 2.",
            _S.PRESS_2_CANCEL: "Per annullare, premere 2.",
            _S.PRESS_3_STAFF: "Per parlare con noi, premere 3.",
            _S.PRESS_9_OPT_OUT: "Per non ricevere più queste chiamate, premere 9.",
            _S.PRESS_STAR_REPEAT: "Per riascoltare, premere asterisco.",
            _S.CONFIRMED: "Grazie. L'appuntamento è confermato. Arrivederci.",
            _S.RESCHEDULE_NOTED: "Grazie. La chiameremo per un altro orario.",
            _S.CANCELLED: "L'appuntamento è annullato. Arrivederci.",
            _S.STAFF_NOT_FREE: "Nessuno è libero. La richiameremo. Arrivederci.",
            _S.OPT_OUT_SURE: "Per non essere più chiamato, premere ancora 9.",
            _S.OPTED_OUT: "Non la chiameremo più. Arrivederci.",
            _S.NOT_UNDERSTOOD: "Mi dispiace, questa scelta non esiste.",
            _S.GOODBYE: "Arrivederci.",
        },
        "nl": {
            _S.PRESS_1_CONFIRM: "Druk op 1 om te bevestigen.",
            _S.PRESS_2_RESCHEDULE: "Druk op 2 voor een ander tijdstip.",
            _S.PRESS_2_CANCEL: "Druk op 2 om af te zeggen.",
            _S.PRESS_3_STAFF: "Druk op 3 om met ons te spreken.",
            _S.PRESS_9_OPT_OUT: "Druk op 9 als u deze oproepen niet meer wilt.",
            _S.PRESS_STAR_REPEAT: "Druk op sterretje om dit nog eens te horen.",
            _S.CONFIRMED: "Dank u. Uw afspraak is bevestigd. Tot ziens.",
            _S.RESCHEDULE_NOTED: "Dank u. Wij bellen u voor een ander tijdstip.",
            _S.CANCELLED: "Uw afspraak is afgezegd. Tot ziens.",
            _S.STAFF_NOT_FREE: "Er is nu niemand vrij. Wij bellen u terug.",
            _S.OPT_OUT_SURE: "Druk nog eens op 9 om niet meer gebeld te worden.",
            _S.OPTED_OUT: "Wij bellen u niet meer. Tot ziens.",
            _S.NOT_UNDERSTOOD: "Sorry, die keuze is er niet.",
            _S.GOODBYE: "Tot ziens.",
        },
        "pt": {
            _S.PRESS_1_CONFIRM: "Para confirmar, prima 1.",
            _S.PRESS_2_RESCHEDULE: "Para outro horário, prima 2.",
            _S.PRESS_2_CANCEL: "Para cancelar, prima 2.",
            _S.PRESS_3_STAFF: "Para falar connosco, prima 3.",
            _S.PRESS_9_OPT_OUT: "Para não receber mais chamadas destas, prima 9.",
            _S.PRESS_STAR_REPEAT: "Para ouvir de novo, prima asterisco.",
            _S.CONFIRMED: "Obrigado. A sua consulta está confirmada. Adeus.",
            _S.RESCHEDULE_NOTED: "Obrigado. Ligaremos para marcar outro horário.",
            _S.CANCELLED: "A sua consulta está cancelada. Adeus.",
            _S.STAFF_NOT_FREE: "Ninguém está livre agora. Voltaremos a ligar.",
            _S.OPT_OUT_SURE: "Para não receber mais chamadas, prima 9 outra vez.",
            _S.OPTED_OUT: "Não voltaremos a ligar. Adeus.",
            _S.NOT_UNDERSTOOD: "Lamento, essa opção não existe.",
            _S.GOODBYE: "Adeus.",
        },
    }
)
"""By language (ISO 639-1), then by sentence; every language has every one."""


def said(sentence: Sentence, language: str) -> str:
    """Return a sentence in a language, or in the nearest that there is."""
    return _TEXTS[language_for(language)][sentence]


def menu(language: str, *, change_is_cancel: bool, has_staff: bool) -> str:
    """Return what the digits do, as it is said after the reminder itself."""
    sentences = [
        Sentence.PRESS_1_CONFIRM,
        Sentence.PRESS_2_CANCEL if change_is_cancel else Sentence.PRESS_2_RESCHEDULE,
        *([Sentence.PRESS_3_STAFF] if has_staff else []),
        Sentence.PRESS_9_OPT_OUT,
        Sentence.PRESS_STAR_REPEAT,
    ]
    return " ".join([said(sentence, language) for sentence in sentences])
