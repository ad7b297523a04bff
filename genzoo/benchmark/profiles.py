"""Profiles: comparisons that have a name."""

from __future__ import annotations

from dataclasses import dataclass

from genzoo.keys import MODELS


@dataclass(frozen=True)
class Profile:
    """Families, data sets with the budget of each, seeds, and whether models are to fill in hidden
    entries."""

    models: tuple[str, ...]
    budgets: dict[str, str]
    seeds: tuple[int, ...]
    imputation: bool = False


EIGHT = (
    "independent", "bayesian_network", "mixture", "hmm", "vae", "gan", "transformer", "ngram",
)  # fmt: skip
# Every family gets the same budget on a data set. Eight families take, with their evaluation, about
# a quarter of an hour on two cores; those that count or converge use little of their budget.
BUDGETS = {
    "digits_binary": "20s",
    "alarm": "20s",
    "asia": "6s",
    "casino": "10s",
    "grammar": "15s",
    "names": "15s",
    "tinyshakespeare": "60s",
    "iris": "10s",
    "breast_cancer": "10s",
}
IN_TOKENS = ("names", "tinyshakespeare")
PROFILES = {
    "quick": Profile(models=EIGHT, budgets=BUDGETS, seeds=(0,)),
    # with the families that take longer to judge, text in tokens too, and hidden entries to fill in
    "full": Profile(
        models=tuple(MODELS),
        budgets={**BUDGETS, **{f"{name}_bpe": BUDGETS[name] for name in IN_TOKENS}},
        seeds=(0,),
        imputation=True,
    ),
}
