"""The same text by the character and in tokens: nats per byte of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from genzoo.report.wording import budget_of
from genzoo.results import numbers
from genzoo.results.contender import Contender
from genzoo.results.numbers import number, with_error
from genzoo.results.plan import DatasetFacts
from genzoo.results.ranking import Entry, Ranking, rank
from genzoo.results.record import CellRecord, Measured
from genzoo.results.run import RunRecord
from genzoo.results.statistics import paired_difference, weakest
from genzoo.values import Kind


@dataclass(frozen=True)
class Line:
    """A model's line, as text: nats per byte by the character and in tokens, the difference, and
    the seconds of training of both."""

    model: str
    seed: int | None
    characters: str
    tokens: str
    gain: str
    seconds: tuple[str, str]


@dataclass(frozen=True)
class Table:
    """What is compared: ``other`` is the data set of characters; ``budget`` what fits to both may
    take; ``running`` the lines of families that read text of any length, ``by_row`` those of all,
    each row by itself; what a reader must know of the latter stands in ``about_rows``."""

    other: str
    budget: str
    vocab_size: str
    running: list[Line]
    by_row: list[Line]
    about_rows: str


Of = Callable[[CellRecord], Measured | None]
Paired = Callable[[Contender, Contender], Measured | None]


def table(run: RunRecord, ranking: Ranking) -> Table | None:
    """Of a data set in tokens; None of others, and where its text isn't in the run otherwise."""
    facts = ranking.dataset.facts
    other = next((d for d in run.datasets if _is_text_of(d.facts, facts)), None)
    if other is None or facts.text is None or facts.text.vocab_size is None:
        return None
    theirs = {entry.model: entry for entry in rank(run, other).entries}
    pairs = [(theirs[e.model], e) for e in ranking.entries if e.model in theirs]
    return Table(
        other.name,
        _budget(other.facts, facts),
        number(facts.text.vocab_size, 0),
        _lines(pairs, _running, _over_blocks),
        _lines(pairs, lambda r: r.per_byte, partial(_over_rows, facts)),
        _about_rows(other.facts, facts),
    )


def _is_text_of(facts: DatasetFacts, tokens: DatasetFacts) -> bool:
    """Whether a data set holds, by the character, the text that another holds in tokens."""
    text, read = facts.text, tokens.text
    if text is None or read is None or read.vocab_size is None or text.vocab_size is not None:
        return False
    return text.digest == read.digest


def _budget(characters: DatasetFacts, tokens: DatasetFacts) -> str:
    """Of characters and of tokens: what a fit may take need not be the same."""
    if characters.budget == tokens.budget:
        return f"the same budget ({budget_of(tokens)})"
    return f"unequal budgets ({budget_of(characters)} and {budget_of(tokens)})"


def _running(record: CellRecord) -> Measured | None:
    return None if record.text_score is None else record.text_score.per_byte


def _over_blocks(tokens: Contender, characters: Contender) -> Measured | None:
    """The difference in nats per byte, paired over blocks of one text; None where there are none,
    or others."""
    scores = [fit.records[0].text_score for fit in (tokens, characters) if len(fit.cells) == 1]
    blocks = [score.blocks for score in scores if score is not None and score.blocks]
    n_bytes = {score.n_bytes for score in scores if score is not None}
    if len(blocks) < 2 or len(blocks[0]) != len(blocks[1]) or len(n_bytes) > 1:
        return None
    return _per_byte(np.array(blocks[0]), np.array(blocks[1]), None, n_bytes.pop())


def _over_rows(facts: DatasetFacts, tokens: Contender, characters: Contender) -> Measured | None:
    """The same over rows, where these are the same strings."""
    t, c = tokens.array("log_prob"), characters.array("log_prob")
    if facts.end is None or facts.text is None or len(tokens.cells) > 1 or t is None or c is None:
        return None
    return _per_byte(t, c, tokens.groups_of("groups"), facts.text.n_bytes)


def _per_byte(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray | None, n_bytes: int | None
) -> Measured | None:
    if not n_bytes or len(a) != len(b):
        return None
    difference, share = paired_difference(a, b, groups), len(a) / n_bytes
    return Measured(share * difference.value, share * difference.stderr)


def _lines(pairs: list[tuple[Entry, Entry]], of: Of, paired: Paired) -> list[Line]:
    """The best in tokens first."""
    found = []
    for by_character, in_tokens in pairs:
        fits = (by_character.fit, in_tokens.fit)
        if fits[0] is None or fits[1] is None:
            continue
        c, t = fits[0].measured(of), fits[1].measured(of)
        if c is not None and t is not None:
            gain = paired(fits[1], fits[0])
            if gain is None:
                gain = Measured(t[0] - c[0], math.hypot(c[1], t[1]))
            found.append((t[0], _line(by_character, in_tokens, c, t, gain)))
    return [line for _, line in sorted(found, key=lambda pair: -pair[0])]


def _line(
    by_character: Entry,
    in_tokens: Entry,
    c: tuple[float, float],
    t: tuple[float, float],
    gain: Measured,
) -> Line:
    # the mass of a text's canonical tokens is a bound on that of the text
    kind: Kind = weakest([in_tokens.kind, "lower_bound"])
    proves = by_character.kind == "exact" and kind == "lower_bound"
    seconds = (e.mean_of(lambda r: r.train_seconds) for e in (by_character, in_tokens))
    first, second = (numbers.seconds(s) for s in seconds)
    return Line(
        in_tokens.model,
        None if in_tokens.fit is None else in_tokens.fit.seed,
        with_error(*c, by_character.kind),
        with_error(*t, kind),
        with_error(gain.value, gain.stderr, kind if proves else "estimate"),
        (first, second),
    )


def _about_rows(characters: DatasetFacts, tokens: DatasetFacts) -> str:
    """Rows of running text are others in tokens, and longer."""
    if tokens.end is not None or characters.text is None or tokens.text is None:
        return "The rows are the same strings."
    of_characters = characters.text.n_bytes / characters.n_test
    of_tokens = tokens.text.n_bytes / tokens.n_test
    return (
        f"A row holds {number(of_characters, 0)} bytes by the character and "
        f"{number(of_tokens, 0)} in tokens, and its beginning is told without what stands before "
        f"it: part of what tokens gain here is the longer row."
    )
