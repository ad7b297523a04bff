"""``genzoo list``: what there is, by key."""

from __future__ import annotations

from typing import Annotated

import typer

from genzoo import registry


def list_(
    what: Annotated[
        str | None, typer.Argument(metavar="[models|datasets|metrics]", help="Only these.")
    ] = None,
) -> None:
    """List the model families, data sets and metrics by their keys."""
    known = {
        "models": registry.list_models(),
        "datasets": registry.list_datasets(),
        "metrics": registry.list_metrics(),
    }
    if what is not None and what not in known:
        raise ValueError(f"list: expected models, datasets or metrics; got {what!r}")
    for name, keys in known.items():
        if what is None:
            typer.echo(f"{name}:")
        if what in (None, name):
            typer.echo("\n".join(keys if what else [f"  {key}" for key in keys]))
