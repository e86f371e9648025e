"""Random texts: each as long as was asked for, and given once."""

from twoleg.sip_io.tokens import DRAWN, Tokens


def test_every_text_has_its_length_and_is_given_once():
    tokens = Tokens()
    sizes = [9, 6, 12, 16] * DRAWN
    texts = [tokens(size) for size in sizes]
    assert [len(text) for text in texts] == [2 * size for size in sizes]
    assert len(set(texts)) == len(texts)


def test_a_text_may_be_longer_than_what_is_drawn_at_once():
    tokens = Tokens()
    assert len(tokens(DRAWN + 1)) == 2 * DRAWN + 2
    assert len(tokens(6)) == 12


def test_two_phones_are_not_given_the_same():
    assert Tokens()(16) != Tokens()(16)
