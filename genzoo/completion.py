"""Text that a model writes: on from a prompt, or into the holes of a text.

To go on is to draw one character after the other, each given those before it. To fill holes is to
draw a row given what stands around them: ``sample(given=...)``, exact where the family's is. A text
with an END behind it is a whole row; other text is laid into a window of T characters, of which the
rest stays open and is summed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from genzoo import draws
from genzoo.parameters import Interval
from genzoo.seeding import derive, numpy_rng
from genzoo.space import characters
from genzoo.space.schema import Schema
from genzoo.space.variable import MISSING
from genzoo.tempering import Tempering
from genzoo.values import LogProb, Unsupported

N_CHARS = 200


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
            raise ValueError(f"prompt: expected at most {T} characters; got {len(codes)}")
        if n_chars == 0:
            return prompt
        log_masses = self.next_log_masses(codes)
        if log_masses is None:
            return prompt + self._rest_of_row(codes, n_chars, tempering, seed)
        total = len(codes) + (N_CHARS if n_chars is None else int(n_chars))
        if end is not None:
            total = min(total, T)
        rng = numpy_rng(seed, "complete")
        while len(codes) < total:
            masses = np.exp(tempering.changed(next(log_masses)[None]))
            code = int(draws.categorical(masses, rng)[0])
            if code == end:
                break
            codes.append(code)
        return characters.text_of(schema, codes)

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
        room = T - len(codes)
        if end is None and room < (n_chars or 0):
            raise Unsupported(
                f"{self.family} goes on to the end of a row, {T} characters, and no further: "
                f"{len(codes)} of the prompt and {n_chars or 0} more are {-room + (n_chars or 0)} "
                f"too many"
            )
        n_chars = min(room, N_CHARS if n_chars is None else int(n_chars))
        row = np.full((1, T), MISSING)
        row[0, : len(codes)] = codes
        drawn = self.filled(row, seed)[0, len(codes) :][:n_chars].tolist()
        if end in drawn:
            drawn = drawn[: drawn.index(end)]
        return characters.text_of(self.schema, drawn)

    def fill_in(self, text: str, hole: str, seed: int) -> str:
        """The text with its holes filled in: see ``GenerativeModel.complete``."""
        codes = characters.with_holes(self.schema, text, hole, "prompt")
        T = self.schema.D
        if self.schema.end is not None:
            if len(codes) > T:
                raise ValueError(f"prompt: expected at most {T} characters; got {len(codes)}")
            return characters.text_of(self.schema, self._before_end(codes, seed))
        if len(codes) <= T:
            row = np.append(codes, np.full(T - len(codes), MISSING))
            return characters.text_of(self.schema, self.filled(row[None], seed)[0, : len(codes)])
        holes = list(characters.holes_in(codes))
        longest = max(end - begin for begin, end in holes)
        if longest > T:
            raise ValueError(
                f"prompt: expected holes of at most {T} characters, the length of a row; got one "
                f"of {longest}"
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
