"""Rows drawn from a model that is written down here: an HMM, a grammar, a density on a grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genzoo.datasets.dataset import Dataset
from genzoo.datasets.entry import Entry
from genzoo.datasets.truth import END, Rule, TrueGrammar, TrueGrid, TrueHMM, Truth
from genzoo.space.infer import END_NAME, sequence_of
from genzoo.space.schema import Schema, Variable

CASINO_ROLLS = 40
GRAMMAR_LENGTH = 25  # odd, as every expression is: some strings have no END
RINGS_CELLS = 64


def load(name: str) -> Dataset:
    """The data set of that key."""
    truth, source = {"casino": casino, "grammar": grammar, "rings": rings}[name]()
    return from_truth(truth, name, ENTRIES[name], source=source)


def from_truth(truth: Truth, name: str, entry: Entry, *, source: str) -> Dataset:
    """Independent draws from a known distribution, cut into train, valid and test rows."""
    train, valid, test = np.split(truth.sample(sum(entry.rows), seed=0), np.cumsum(entry.rows)[:2])
    return Dataset(
        name, truth.schema, train, valid, test, truth=truth, source=source, licence=entry.licence
    )


def casino() -> tuple[Truth, str]:
    """A casino that now and then swaps in a loaded die: 40 rolls, all of which are seen.

    After the example of Durbin et al. (1998, chapter 3), with a die that is loaded more heavily
    (0.8 on the six, there 0.5), so that it pays to know which die is in play: independent rolls
    lose 0.08 nats a roll, there 0.01.
    """
    to_loaded, to_fair = 0.05, 0.1
    truth = TrueHMM(
        Schema(*sequence_of("123456", CASINO_ROLLS)),
        initial=np.array([to_fair, to_loaded]) / (to_fair + to_loaded),
        transition=np.array([[1 - to_loaded, to_loaded], [to_fair, 1 - to_fair]]),
        emission=np.array([[1 / 6] * 6, [0.04] * 5 + [0.8]]),
    )
    return truth, (
        "Rolls of an occasionally dishonest casino (after Durbin et al. 1998): a fair die and one "
        "that shows six with probability 0.8; fair to loaded 0.05, loaded to fair 0.1 a roll. "
        "Drawn with a fixed seed; the truth is a hidden Markov model of two states."
    )


def _expression(
    operand: str, rest: str, close: str, x: float, plus: float, stop: float
) -> dict[str, tuple[Rule, ...]]:
    """The rules of a sum or product of operands that ends with ``close``.

    ``operand`` expects an operand, ``rest`` what follows one.
    """
    return {
        operand: (
            Rule(0.7 * x, "x", (rest,)),
            Rule(0.7 * (1 - x), "y", (rest,)),
            Rule(0.15, "(", ("round", rest)),
            Rule(0.15, "[", ("square", rest)),
        ),
        rest: (
            Rule((1 - stop) * plus, "+", (operand,)),
            Rule((1 - stop) * (1 - plus), "*", (operand,)),
            Rule(stop, close),
        ),
    }


def grammar() -> tuple[Truth, str]:
    """Arithmetic in two kinds of brackets, such as ``x+(x+y)*[y*x]``, of at most 25 symbols.

    What may come next depends on the innermost open bracket, however long ago it was opened: which
    bracket closes it, and how likely ``x`` and ``+`` are within (often in round ones, rarely in
    square ones).
    """
    symbols = (*sorted("xy+*()[]"), END_NAME)
    schema = Schema(*sequence_of(symbols, GRAMMAR_LENGTH, end=len(symbols) - 1))
    rules = {
        **_expression("start", "start rest", END, x=0.5, plus=0.5, stop=0.2),
        **_expression("round", "round rest", ")", x=0.9, plus=0.9, stop=0.5),
        **_expression("square", "square rest", "]", x=0.1, plus=0.1, stop=0.5),
    }
    truth = TrueGrammar(schema, rules, "start")
    return truth, (
        "Arithmetic expressions over x, y, +, * in round and square brackets, nested to any depth, "
        "from a probabilistic context-free grammar conditioned on at most 25 symbols (which keeps "
        f"{100 * truth.kept:.0f} % of its mass). Drawn with a fixed seed."
    )


def rings() -> tuple[Truth, str]:
    """Three rings about the origin and a thin floor, on a grid of 64 x 64 cells."""
    step = 8 / RINGS_CELLS
    centre = -4 + step * (np.arange(RINGS_CELLS) + 0.5)
    x = Variable("x", "ordinal", RINGS_CELLS, offset=float(centre[0]), step=step, dtype="float64")
    schema = Schema((x, replace(x, name="y")), "table", (2,))
    radius = np.hypot(centre[:, None], centre[None, :])
    mass = np.full((RINGS_CELLS, RINGS_CELLS), 0.02 / RINGS_CELLS**2)
    for ring, weight in ((1.0, 0.28), (2.0, 0.42), (3.0, 0.28)):
        shape = np.exp(-0.5 * ((radius - ring) / 0.15) ** 2) / radius
        mass += weight * shape / shape.sum()
    truth = TrueGrid(schema, mass / mass.sum())
    return truth, (
        "Points on three noisy rings (radii 1, 2, 3, width 0.15) in the square from -4 to 4, with "
        "2 % uniform, on a grid of 64 x 64 cells. Drawn with a fixed seed."
    )


OURS = "Apache-2.0 (genzoo's own)"
ENTRIES = {
    "casino": Entry(
        load,
        (CASINO_ROLLS,),
        (4000, 1000, 2000),
        OURS,
        about="Rolls of an occasionally dishonest casino, from a hidden Markov model",
        layout="text",
        truth=True,
    ),
    "grammar": Entry(
        load,
        (GRAMMAR_LENGTH,),
        (10000, 2000, 2000),
        OURS,
        about="Arithmetic expressions in nested brackets, from a probabilistic grammar",
        layout="text",
        truth=True,
    ),
    "rings": Entry(
        load,
        (2,),
        (5000, 1000, 2000),
        OURS,
        about="Points on three noisy rings, from a density on a grid",
        truth=True,
    ),
}
