"""The command line. Heavy imports are inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    import click

    from genzoo.benchmark.results import Run
    from genzoo.conformance import CheckResult
    from genzoo.model import GenerativeModel, Score

BAD_INPUT = 2
CHECK_FAILED = 1
INTERRUPTED = 130


class _Group(TyperGroup):
    """Errors as one line on standard error; ``--debug``, anywhere, shows the traceback."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--debug" in args:
            args = ["--debug", *(a for a in args if a != "--debug")]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted; what was finished is kept", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except (ValueError, OSError, ArithmeticError, RuntimeError, ImportError, LookupError,
                TypeError, AttributeError, MemoryError, AssertionError) as error:  # fmt: skip
            return _give_up(ctx, error)


def _give_up(ctx: click.Context, error: Exception) -> None:
    if isinstance(error, (typer.Exit, typer.Abort)) or ctx.params.get("debug"):
        raise error
    # a ValueError says what is wrong in its own words; of others the type says much
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    typer.echo(f"genzoo: {kind}{error}\n(--debug shows where)", err=True)
    raise typer.Exit(BAD_INPUT)
