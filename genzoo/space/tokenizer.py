"""Text in tokens: byte-level byte-pair encoding.

A text is cut into words, and the UTF-8 bytes of each are merged pair by pair, in the order in which
the pairs were learned (Sennrich, Haddow & Birch 2016, arXiv:1508.07909; on bytes: Radford et al.
2019). The 256 bytes are tokens themselves, so that no text is without.

A text has one row of tokens here, its canonical one, though others would spell it too. A model of
tokens gives those some mass as well; what it gives the canonical row is a lower bound on the mass
of the text (what is left out: Cao & Rimell 2021, arXiv:2109.02550).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np

from genzoo.parameters import Interval

if TYPE_CHECKING:
    import tokenizers

N_BYTES = 256
FIRST = 0xF0000  # of the private use plane: no text has a character there that means something
SEEN_TWICE = 2  # a pair that stands in the text once would be learned by heart
SIZES = Interval(int, N_BYTES, 65_000)  # the plane has hardly more symbols


@dataclass(frozen=True)
class Tokenizer:
    """What the tokens of a text are, and which symbol stands for each.

    In rows of a ``Schema`` each token is one character of the private use plane, so that a text in
    tokens is a string over an alphabet of ``vocab_size`` as any other.

    Args:
        merges: the pairs of tokens that become one, the first learned first; bytes are written as
            the ``tokenizers`` library writes them (a blank is ``Ġ``).

    Raises:
        ValueError: for a pair of which one is no token yet.

    >>> tokenizer = Tokenizer.train(["the cat the hat"], vocab_size=258)
    >>> tokenizer.merges, len(tokenizer.encode("the cat"))
    ((('a', 't'), ('h', 'e')), 5)
    >>> tokenizer.decode(tokenizer.encode("naïve"))
    'naïve'
    """

    merges: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        known = set(_bytes())
        if not isinstance(self.merges, tuple):
            raise ValueError(f"merges: expected a tuple of pairs; got {type(self.merges).__name__}")
        for pair in self.merges:
            if not (isinstance(pair, tuple) and len(pair) == 2 and known.issuperset(pair)):
                raise ValueError(f"merges: expected pairs of earlier tokens; got {pair!r}")
            known.add("".join(pair))

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Self:
        """Merge the pair that stands in some texts most often, until there are enough tokens.

        Args:
            texts: to learn from.
            vocab_size: how many tokens, the 256 bytes among them; fewer where no other pair stands
                there twice.
        """
        import tokenizers

        SIZES.check("vocab_size", vocab_size)
        if isinstance(texts, str):
            raise ValueError("texts: expected a list of str; got a str: [text] is a list of one")
        texts = [_whole(text) for text in texts]
        learner = tokenizers.Tokenizer(tokenizers.models.BPE())
        learner.pre_tokenizer = _words()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=int(vocab_size),
            min_frequency=SEEN_TWICE,
            initial_alphabet=list(_bytes()),
            show_progress=False,
        )
        learner.train_from_iterator(texts, trainer)
        merges = json.loads(learner.to_str())["model"]["merges"]
        return cls(tuple((left, right) for left, right in merges))

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Each token as the library writes its bytes."""
        return tuple(dict.fromkeys([*_bytes(), *map("".join, self.merges)]))

    @property
    def vocab_size(self) -> int:
        return len(self.tokens)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The character that stands for each token."""
        return tuple(chr(FIRST + i) for i in range(self.vocab_size))

    @cached_property
    def n_begun(self) -> np.ndarray:
        """(vocab_size,) how many characters begin in each token: over the tokens of a text they sum
        to its length."""
        within = _inner_bytes()
        return np.array([sum(byte not in within for byte in token) for token in self.tokens])

    def encode(self, text: str) -> str:
        """The symbols of a text's tokens.

        Raises:
            ValueError: for half a character.
        """
        return "".join(chr(FIRST + i) for i in self._made.encode(_whole(text)).ids)

    def opened(self, text: str) -> tuple[str, str]:
        """The symbols of a text's tokens but those of its last word, which may go on and then has
        other tokens; and the bytes of that word, as in ``tokens``.

        >>> tokenizer = Tokenizer.train(["the cat the hat"], vocab_size=258)
        >>> tokenizer.opened("the ca") == (tokenizer.encode("the"), "Ġca")
        True
        """
        made = self._made.encode(_whole(text))
        words = made.word_ids
        first = words.index(words[-1]) if words else 0
        symbols = "".join(chr(FIRST + i) for i in made.ids[:first])
        return symbols, "".join(made.tokens[first:])

    def decode(self, symbols: str) -> str:
        """The text that some symbols spell; bytes that are no UTF-8 become ``�``.

        Raises:
            ValueError: for a character that is no symbol.
        """
        ids = [ord(symbol) - FIRST for symbol in symbols]
        for symbol, i in zip(symbols, ids, strict=True):
            if not 0 <= i < self.vocab_size:
                raise ValueError(f"symbols: expected the symbols of tokens; got {symbol!r}")
        return self._made.decode(ids)

    @cached_property
    def _made(self) -> tokenizers.Tokenizer:
        """What the library makes of the merges."""
        import tokenizers

        vocab = {token: i for i, token in enumerate(self.tokens)}
        made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, list(self.merges)))
        made.pre_tokenizer = _words()
        made.decoder = tokenizers.decoders.ByteLevel()
        return made


@lru_cache(maxsize=1)
def _bytes() -> tuple[str, ...]:
    """The 256 bytes, as the library writes them."""
    import tokenizers

    return tuple(sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))


@lru_cache(maxsize=1)
def _inner_bytes() -> frozenset[str]:
    """The bytes with which no character begins, as the library writes them."""
    # in UTF-8 these characters are two bytes, the second of which is 0x80 to 0xbf
    pairs = [_words().pre_tokenize_str(chr(c))[0][0] for c in range(0x80, 0xC0)]
    return frozenset(pair[-1] for pair in pairs)


def _words() -> tokenizers.pre_tokenizers.PreTokenizer:
    import tokenizers

    return tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)


def _whole(text: str) -> str:
    """The text; ValueError for what is none, or holds half a character."""
    if not isinstance(text, str):
        raise ValueError(f"text: expected a str; got {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise ValueError(f"text: expected whole characters; got {half!r}") from None
    return text
