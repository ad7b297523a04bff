"""Profiles: comparisons that have a name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """Families, data sets with the budget of each, and seeds."""

    models: tuple[str, ...]
    budgets: dict[str, str]
    seeds: tuple[int, ...]


# Every family gets the same budget on a data set. Quick: all of it, evaluation included, in about
# a quarter of an hour on two cores; families that count or converge use little of their budget.
PROFILES = {
    "quick": Profile(
        models=(
            "independent",
            "bayesian_network",
            "mixture",
            "hmm",
            "vae",
            "gan",
            "transformer",
            "ngram",
        ),
        budgets={
            "digits_binary": "20s",
            "alarm": "20s",
            "asia": "6s",
            "casino": "10s",
            "grammar": "15s",
            "names": "15s",
            "tinyshakespeare": "60s",
            "iris": "10s",
            "breast_cancer": "10s",
        },
        seeds=(0,),
    ),
}
