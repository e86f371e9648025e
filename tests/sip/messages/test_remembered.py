"""What is read once and then looked up: bounded in number and length, and without secrets."""

from __future__ import annotations

import pytest

from twoleg.sip.remembered import remembered


class Reader:
    """Counts how often each text was read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, text: str) -> int:
        self.read.append(text)
        return int(text)


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_a_text_that_comes_again_is_not_read_again(reader):
    parse = remembered(reader)
    assert [parse("1"), parse("2"), parse("1"), parse("2")] == [1, 2, 1, 2]
    assert reader.read == ["1", "2"]


def test_no_more_are_kept_than_may_be(reader):
    parse = remembered(reader, most=3)
    for _ in range(2):
        assert [parse(str(number)) for number in range(4)] == [0, 1, 2, 3]
    assert len(parse.__self__) <= 3


def test_a_text_that_is_too_long_is_read_each_time(reader):
    parse = remembered(reader, max_length=3)
    for text in ("123", "1234"):
        assert parse(text) == parse(text) == int(text)
    assert reader.read == ["123", "1234", "1234"]


def test_what_is_nothing_to_remember_is_read_each_time(reader):
    parse = remembered(reader, unless=lambda text: text.startswith("0"))
    assert [parse("01"), parse("01"), parse("1"), parse("1")] == [1, 1, 1, 1]
    assert reader.read == ["01", "01", "1"]


def test_an_error_is_raised_each_time(reader):
    parse = remembered(reader)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            parse("one")
    assert reader.read == ["one", "one"]
