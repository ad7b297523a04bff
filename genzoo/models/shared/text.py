"""Text by the character, for families whose rows may be windows of it.

A family that mixes in ``ScoresText`` has ``score_text``; it says how characters within windows are
scored.
"""

from __future__ import annotations

import abc
import math
from dataclasses import replace

import numpy as np

from genzoo.datasets.blocks import FEWEST_BLOCKS, MOST_BLOCKS
from genzoo.fitting import Fit
from genzoo.parameters import Interval
from genzoo.space import characters
from genzoo.space.schema import Schema
from genzoo.values import LogProb, Score, Unsupported

# Measured on the training text of Tiny Shakespeare: blocks of 64, 1,000, 4,000, 8,000 and 16,000
# characters give an n-gram errors of 0.003, 0.006, 0.011, 0.014 and 0.019 nats per character.
# Speakers, scenes and plays differ, so blocks are as long as may be.
BLOCK_CHARACTERS = 4000


class ScoresText(abc.ABC):
    """What a model of strings needs to score text of any length; named after ``GenerativeModel``
    among the bases, which brings ``schema_`` and ``_check_fitted``."""

    schema_: Schema

    @abc.abstractmethod
    def _check_fitted(self, method: str) -> None:
        """ValueError, naming the method, unless the model is fitted."""

    @abc.abstractmethod
    def _terms(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) log mass of each code given those before it in its row, 0 after an END."""

    def score_text(self, text: str, context: int | None = None, stride: int | None = None) -> Score:
        """Nats per character of a text of any length, with a sliding window.

        The first window scores all its characters; it then moves on by ``stride`` and each time
        scores the last ``stride``, so that each character is given at least ``context - stride``
        and less than ``context`` characters before it (fewer only at the beginning of the text).

        Args:
            text: one or more characters of the alphabet.
            context: characters a window, at most T; None: T.
            stride: characters from one window to the next, at most ``context``; None: half of it.
                In a space of tokens both count tokens.

        Returns:
            Score: mean log mass a character, exact for this sliding model, in a space of tokens a
            lower bound (of the text's canonical tokens); ``stderr`` is that of at most 15 blocks of
            4,000 characters or more (nan for a text of under six of them: it is too short to say).

        Raises:
            Unsupported: if the rows are not strings.
            ValueError: for a character outside the alphabet, an empty text, a bad window.

        >>> import genzoo
        >>> model = genzoo.NGram(context=1).fit(["abab", "baba"] * 9)
        >>> str(model.score_text("abab", context=2))
        '-0.1772 nats'
        """
        codes = self._text_to_score(text)
        T = self.schema_.D
        context = T if context is None else context
        Interval(int, 1, T).check("context", context)
        stride = max(1, context // 2) if stride is None else stride
        Interval(int, 1, context).check("stride", stride)

        ends = np.append(np.arange(context, len(codes), stride), len(codes))
        starts = np.maximum(0, ends - context)
        n_scored = np.diff(ends, prepend=0)
        within = np.arange(T)
        # a short window is filled up; nothing before the filling sees it
        at = np.minimum(starts[:, None] + within, len(codes) - 1)
        length = (ends - starts)[:, None]
        scored = (within < length) & (within >= length - n_scored[:, None])
        terms = np.where(scored, self._terms(codes[at]), 0.0).sum(axis=1)
        return self._per_character(codes, terms, ends - n_scored)

    def _per_character(self, codes: np.ndarray, terms: np.ndarray, starts: np.ndarray) -> Score:
        """Nats per character of a text's codes, from the sums (n,) of stretches that begin at
        ``starts`` (n,)."""
        n_scored = np.add.reduceat(characters.n_characters(self.schema_, codes), starts)
        score = per_character(terms, n_scored)
        return score if self.schema_.tokenizer is None else replace(score, kind="lower_bound")

    def _text_to_score(self, text: str) -> np.ndarray:
        self._check_fitted("score_text")
        if self.schema_.alphabet is None:
            raise Unsupported("score_text needs strings; this model was fitted to other data")
        codes = characters.codes_of(self.schema_, text, "text")
        if len(codes) == 0:
            raise ValueError("text: expected at least one character; got none")
        return codes

    def _text_codes(self, fit: Fit, part: str) -> list[np.ndarray] | None:
        """A Dataset's text in that part as codes, a stretch each; None where there is none.

        Only windows of a longer text have it, not strings with an END.
        """
        if fit.text is None or self.schema_.alphabet is None or self.schema_.end is not None:
            return None
        stretches = fit.text[part]
        return [characters.codes_of(self.schema_, text, "text") for text in stretches] or None


def per_character(terms: np.ndarray, n_scored: np.ndarray) -> Score:
    """Nats per character, from the sums (n,) of consecutive stretches that score ``n_scored`` (n,)
    characters each.

    The standard error is that of blocks of stretches, as long as ``MOST_BLOCKS`` of them allow and
    of ``BLOCK_CHARACTERS`` at least; nan where the text has no ``FEWEST_BLOCKS`` such blocks.

    >>> per_character(np.array([-3.0, -1.0]), np.array([3, 1])).value
    -1.0
    """
    length = int(n_scored.sum())
    value = float(terms.sum() / length)
    number = min(MOST_BLOCKS, length // BLOCK_CHARACTERS, len(terms))
    if number < FEWEST_BLOCKS:
        return Score(value, math.nan, "exact")
    before = np.cumsum(n_scored) - n_scored
    block = np.minimum(before * number // length, number - 1)  # the last may begin no character
    stderr = LogProb.exact(terms).per(n_scored, block).stderr
    return Score(value, stderr, "exact", tuple(np.bincount(block, terms).tolist()))
