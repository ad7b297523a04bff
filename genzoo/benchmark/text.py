"""Running text, read and written: from the families that offer it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genzoo.datasets.blocks import FEWEST_BLOCKS
from genzoo.datasets.dataset import Dataset
from genzoo.model import GenerativeModel
from genzoo.protocols import ScoresText
from genzoo.results.record import TextScore
from genzoo.seeding import derive
from genzoo.values import LogProb, Unsupported

MOST_SCORED_CHARACTERS = 200_000
PROMPTS = dict.fromkeys(("tinyshakespeare", "tinyshakespeare_bpe"), ("ROMEO:", "JULIET:\nO "))
PROMPT_LENGTH = 24  # of the start of the test text, where a data set has no prompts of its own


def judge(
    model: GenerativeModel, dataset: Dataset, stretches: Sequence[str], seed: int, notes: list[str]
) -> tuple[TextScore | None, dict[str, str] | None]:
    """Nats per character on test text, and completions, of families that read by the character."""
    if not isinstance(model, ScoresText):
        return None, None
    score = completions = None
    try:
        score = _score(model, stretches)
        prompts = PROMPTS.get(dataset.name) or (stretches[0][:PROMPT_LENGTH],)
        # noise of its own for each prompt: with shared noise their texts run together
        completions = {p: model.complete(p, seed=derive(seed, "completion", p)) for p in prompts}
    except Unsupported as refusal:
        notes.append(f"text: {refusal.reason}")
    return score, completions


def _score(model: ScoresText, stretches: Sequence[str]) -> TextScore:
    """The mean over the first characters of the test text, stretch by stretch."""
    left, read = MOST_SCORED_CHARACTERS, []
    for stretch in stretches:
        if text := stretch[:left]:
            read.append(text)
            left -= len(text)
    parts = [model.score_text(text) for text in read]
    n = np.array([len(text) for text in read], dtype=float)
    value, stderr = (np.array([getattr(s, k) for s in parts]) for k in ("value", "stderr"))
    found = LogProb.exact(n * value).per(n)
    error = found.stderr
    if len(parts) < FEWEST_BLOCKS:
        # few stretches say nothing of how they differ, but each has blocks of its own
        error = float(np.sqrt(np.sum((n * stderr) ** 2)) / n.sum())
    n_bytes = sum(len(text.encode()) for text in read)
    blocks = parts[0].blocks if len(parts) == 1 else None
    return TextScore(found.value, error, parts[0].kind, int(n.sum()), n_bytes, blocks)
