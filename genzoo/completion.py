"""Text that a model writes: on from a prompt, or into the holes of a text.

To go on is to draw one character after the other, each given those before it. To fill holes is to
draw a row given what stands around them: ``sample(given=...)``, exact where the family's is. A text
with an END behind it is a whole row; other text is laid into a window of T characters, of which the
rest stays open and is summed out. In spaces of tokens, tokens take the place of characters.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass

import numpy as np

from genzoo import draws
from genzoo.parameters import Interval
from genzoo.seeding import derive, numpy_rng
from genzoo.space import characters
from genzoo.space.schema import Schema
from genzoo.space.tokenizer import Tokenizer
from genzoo.space.variable import MISSING
from genzoo.tempering import Tempering
from genzoo.values import LogProb, Unsupported

N_CHARS = 200
MOST_BYTES = 4  # of a character
LEAST_READING, MOST_READINGS = 1e-6, 10_000


@dataclass(frozen=True)
class Writer:
    """A fitted model of strings, as far as writing needs it.

    Attributes:
        family: its name.
        schema: of strings.
        next_log_masses: ``GenerativeModel._next_log_masses``.
        filled: (rows (n, T) with ``MISSING``, seed) -> these rows filled in.
        log_prob: (rows (n, T) with ``MISSING``, seed) -> their log masses (n,).
    """

    family: str
    schema: Schema
    next_log_masses: Callable[[list[int]], Iterator[np.ndarray] | None]
    filled: Callable[[np.ndarray, int], np.ndarray]
    log_prob: Callable[[np.ndarray, int], LogProb]

    def go_on(self, prompt: str, n_chars: int | None, tempering: Tempering, seed: int) -> str:
        """The prompt and what is written after it: see ``GenerativeModel.complete``."""
        Interval(int, 0, optional=True).check("n_chars", n_chars)
        schema, T, end = self.schema, self.schema.D, self.schema.end
        codes = characters.codes_of(schema, prompt, "prompt").tolist()
        if end is not None and len(codes) > T:
            raise self._too_long(codes)
        if n_chars == 0:
            return prompt
        log_masses = self.next_log_masses(codes)
        if log_masses is None:
            return prompt + self._rest_of_row(codes, n_chars, tempering, seed)
        n_chars, rng = N_CHARS if n_chars is None else int(n_chars), numpy_rng(seed, "complete")
        if schema.tokenizer is not None and prompt:
            codes = self._begun(schema.tokenizer, prompt, tempering, rng) or codes
            log_masses = self.next_log_masses(codes) or log_masses
        lacking, most = n_chars, len(codes) + n_chars
        if schema.tokenizer is not None:
            lacking += 1  # the last character is whole once another begins
            lacking -= characters.n_characters(schema, np.array(codes, dtype=int)).sum()
            lacking += len(prompt)
            most += MOST_BYTES * n_chars  # draws of bytes may begin none
        if end is not None:
            most = min(most, T)
        begun = characters.n_characters(schema, np.arange(schema.cards[0]))
        while len(codes) < most and lacking > 0:
            masses = np.exp(tempering.changed(next(log_masses)[None]))
            code = int(draws.categorical(masses, rng)[0])
            if code == end:
                break
            codes.append(code)
            lacking -= begun[code]
        return characters.text_of(schema, codes)[: len(prompt) + n_chars]

    def _begun(
        self, tokenizer: Tokenizer, prompt: str, tempering: Tempering, rng: np.random.Generator
    ) -> list[int] | None:
        """Codes of tokens with which a text begins that goes on from a prompt, drawn by their mass.

        The prompt's own tokens are those of a text that ends with it; where the last word goes on
        they are others. So that word is read anew: by all tokens that spell it, the last of them as
        far beyond it as it goes. Those that are left out have less than ``LEAST_READING`` of the
        mass of the others each. (Sums over the tokens that cover a prompt: Phan et al. 2024,
        arXiv:2410.09303.) None where no row is long enough for any.
        """
        before, word = tokenizer.opened(prompt)
        as_read = self.schema.variables[0].categories or ()
        code_of = {symbol: code for code, symbol in enumerate(as_read)}
        longest = math.inf if self.schema.end is None else self.schema.D
        open_ = [(0.0, [code_of[symbol] for symbol in before], word)]
        readings, masses = list[list[int]](), list[float]()
        while open_ and len(readings) < MOST_READINGS:
            cost, codes, rest = heapq.heappop(open_)
            if masses and -cost < np.logaddexp.reduce(masses) + math.log(LEAST_READING):
                break
            if len(codes) >= longest:
                continue
            log_p = next(self.next_log_masses(list(codes)) or iter(()))
            for token, symbol in zip(tokenizer.tokens, tokenizer.symbols, strict=True):
                code = code_of[symbol]
                if token.startswith(rest):
                    readings.append([*codes, code])
                    masses.append(float(log_p[code]) - cost)
                elif rest.startswith(token):
                    left = rest[len(token) :]
                    heapq.heappush(open_, (cost - float(log_p[code]), [*codes, code], left))
        if not readings:
            return None
        log_masses = np.array(masses) - np.logaddexp.reduce(masses)
        drawn = draws.categorical(np.exp(tempering.changed(log_masses[None])), rng)
        return readings[int(drawn[0])]

    def _rest_of_row(
        self, codes: list[int], n_chars: int | None, tempering: Tempering, seed: int
    ) -> str:
        """What follows a prompt in the one row that it begins."""
        if not tempering.is_none:
            raise Unsupported(
                f"{self.family} draws whole rows: temperature, top_k and top_p need a family that "
                f"draws one character after the other"
            )
        T, end = self.schema.D, self.schema.end
        # of tokens it is known afterwards how many characters they are
        known_to_come = (n_chars or 0) if self.schema.tokenizer is None else 0
        over = len(codes) + known_to_come - T
        if end is None and over > 0:
            raise self._no_further(
                f"{len(codes)} of the prompt and {known_to_come} more are {over} too many"
            )
        row = np.full((1, T), MISSING)
        row[0, : len(codes)] = codes
        drawn = self.filled(row, seed)[0, len(codes) :].tolist()
        if end in drawn:
            drawn = drawn[: drawn.index(end)]
        written = characters.text_of(self.schema, drawn)
        if end is None and len(written) < (n_chars or 0):
            raise self._no_further(
                f"with this seed {len(written)} characters behind the prompt, of {n_chars}"
            )
        return written[: N_CHARS if n_chars is None else int(n_chars)]

    def _no_further(self, why: str) -> Unsupported:
        unit = characters.unit(self.schema)
        return Unsupported(
            f"{self.family} goes on to the end of a row, {self.schema.D} {unit}, and no further: "
            f"{why}"
        )

    def _too_long(self, codes: Sized) -> ValueError:
        unit = characters.unit(self.schema)
        return ValueError(f"prompt: expected at most {self.schema.D} {unit}; got {len(codes)}")

    def fill_in(self, text: str, hole: str, seed: int) -> str:
        """The text with its holes filled in: see ``GenerativeModel.complete``."""
        codes = characters.with_holes(self.schema, text, hole, "prompt")
        T = self.schema.D
        if self.schema.end is not None:
            if len(codes) > T:
                raise self._too_long(codes)
            return characters.text_of(self.schema, self._before_end(codes, seed))
        if len(codes) <= T:
            row = np.append(codes, np.full(T - len(codes), MISSING))
            return characters.text_of(self.schema, self.filled(row[None], seed)[0, : len(codes)])
        holes = list(characters.holes_in(codes))
        longest = max(end - begin for begin, end in holes)
        if longest > T:
            raise ValueError(
                f"prompt: expected holes of at most {T} {characters.unit(self.schema)}, the length "
                f"of a row; got one of {longest}"
            )
        for number, (begin, end) in enumerate(holes):
            window = characters.window_around((begin, end), len(codes), T)
            drawn = self.filled(codes[window][None], derive(seed, "hole", number))[0]
            codes[begin:end] = drawn[begin - window.start : end - window.start]
        return characters.text_of(self.schema, codes)

    def _before_end(self, codes: np.ndarray, seed: int) -> np.ndarray:
        """Codes (L,) filled in, given that END comes after them and not in a hole at their end.

        A symbol in the last place says that no END comes before it. So where that place is open it
        is drawn first, by the masses of the text with each symbol there and END behind it, and all
        other places given it: exact where the family's masses and completions are.
        """
        L, T, end = len(codes), self.schema.D, self.schema.end
        row = np.append(codes, np.full(T - L, end))
        if row[L - 1] == MISSING:
            symbols = [c for c in range(int(self.schema.cards[0])) if c != end]
            rows = np.tile(row, (len(symbols), 1))
            rows[:, L - 1] = symbols
            log_masses = self.log_prob(rows, derive(seed, "last")).value
            row = rows[draws.gumbel_argmax(log_masses, numpy_rng(seed, "last"))]
        return self.filled(row[None], seed)[0, :L]
