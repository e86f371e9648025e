"""The keys of one SRTP stream through all offers and answers of its session (RFC 4568 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field

from twoleg.sip.sdes import KEY_OCTETS, Crypto, CryptoSuite, crypto_lines, parse_crypto
from twoleg.sip.sdp import Media
from twoleg.sip.values import immutable


@immutable()
class StreamKeys:
    """What each side of a stream sends with: master key and salt, never shown."""

    suite: CryptoSuite
    ours: bytes = field(repr=False)
    theirs: bytes = field(repr=False)


class KeyExchange:
    """Chooses suites, and makes our keys with `make_key`, which gives so many random octets.

    Each suite has one key of ours for the whole session: what is sent with it is never begun anew
    (7.1.4), and no two lines of an offer share one (7.1.1). `ours` are those that exist already.
    """

    __slots__ = ("_make_key", "_offered", "_ours")

    def __init__(
        self, make_key: Callable[[int], bytes], ours: Iterable[tuple[CryptoSuite, bytes]] = ()
    ) -> None:
        self._make_key = make_key
        self._ours = dict(ours)
        self._offered: tuple[Crypto, ...] = ()

    def offer(self, suites: tuple[CryptoSuite, ...]) -> tuple[Crypto, ...]:
        """Give the lines of an offer, the suite that we want most first."""
        self._offered = tuple(
            [Crypto(tag, suite, self._key(suite)) for tag, suite in enumerate(suites, 1)]
        )
        return self._offered

    def accept(self, answering: Media) -> StreamKeys | None:
        """Take the one line of an answer; None where it takes up none of our last offer's.

        It repeats tag and suite of what it takes up, and has a key of its own (7.1.2, 7.1.3).
        """
        lines = crypto_lines(answering.attributes)
        theirs = parse_crypto(lines[0]) if len(lines) == 1 else None
        if theirs is None or self._is_ours(theirs):
            return None
        for ours in self._offered:
            if (ours.tag, ours.suite) == (theirs.tag, theirs.suite):
                return StreamKeys(ours.suite, ours.key, theirs.key)
        return None

    def answer(
        self, offered: Media, suites: tuple[CryptoSuite, ...]
    ) -> tuple[tuple[Crypto, ...], StreamKeys | None] | None:
        """Take up the first line of an offer that we can, and give ours; None: there is none.

        Without suites the stream is plain: it has no line, and no keys.
        """
        if not suites:
            return (), None
        for line in crypto_lines(offered.attributes):
            theirs = parse_crypto(line)
            if theirs is None or theirs.suite not in suites or self._is_ours(theirs):
                continue
            ours = Crypto(theirs.tag, theirs.suite, self._key(theirs.suite))
            return (ours,), StreamKeys(ours.suite, ours.key, theirs.key)
        return None

    def _key(self, suite: CryptoSuite) -> bytes:
        key = self._ours.get(suite)
        if key is None:
            key = self._ours[suite] = self._make_key(KEY_OCTETS)
        return key

    def _is_ours(self, theirs: Crypto) -> bool:
        """Tell whether a key is one of ours, sent back: both would send the same key stream."""
        return theirs.key in self._ours.values()
