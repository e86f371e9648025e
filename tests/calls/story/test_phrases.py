"""What the product says, in which language."""

import pytest

from twoleg.calls.phrases import LANGUAGES, TEXTS, Phrase, language_for, text_of


def test_every_phrase_is_there_in_every_language():
    assert set(TEXTS) == set(Phrase)
    for phrase in Phrase:
        assert set(TEXTS[phrase]) == set(LANGUAGES)
        assert len(set(TEXTS[phrase].values())) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("language", "country", "chosen"),
    [
        ("de", None, "de"),
        ("de-CH", "FR", "de"),
        ("PT_br", None, "pt"),
        (None, "CH", "de"),
        (None, "mx", "es"),
        ("ja", "IT", "it"),
        ("ja", "JP", "en"),
        ("", None, "en"),
        (None, None, "en"),
    ],
)
def test_the_language_asked_for_is_spoken_else_the_countrys_else_english(language, country, chosen):
    assert language_for(language, country) == chosen


def test_a_language_that_is_not_there_is_answered_in_english():
    assert text_of(Phrase.PRESS_ONE, "xx") == "Press 1 to take the call."
    assert text_of(Phrase.PRESS_ONE, "fr-CA").startswith("Appuyez")
