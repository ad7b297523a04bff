"""The command line: what all commands share, and ``main``."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from importlib.metadata import version as installed
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genzoo.cli import compare, data, lists, models

BAD_INPUT = 2
INTERRUPTED = 130
TERMINATED = 143
PIPE_CLOSED = 141
KEPT = {  # after Ctrl-C
    "compare": "; finished cells are kept: the same command goes on with the others",
    "fit": "; nothing is saved",
    "data": "; what was downloaded is kept: the same command goes on from there",
}


class _Group(TyperGroup):
    """Errors as one line on standard error; ``--debug``, anywhere, shows the traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--debug" in args:
            args = ["--debug", *(a for a in args if a != "--debug")]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo(f"genzoo: interrupted{KEPT.get(ctx.invoked_subcommand, '')}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # whoever reads the output has seen enough: "genzoo list | head"
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except Exception as error:
            if _is_for_typer(error):
                raise
            # a ValueError says what is wrong in its own words; of others the type says much
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            if ctx.params.get("debug"):
                typer.echo(traceback.format_exc(), err=True)
            typer.echo(f"genzoo: {kind}{error}", err=True)
            if not ctx.params.get("debug"):
                typer.echo("(--debug shows where)", err=True)
            raise typer.Exit(BAD_INPUT) from None


def _show_warning(message: Any, category: type[Warning], *where: Any, **rest: Any) -> None:
    """What is meant for the user as one line; for the place in the code there is ``--debug``."""
    kind = "" if category is UserWarning else f"{category.__name__}: "
    typer.echo(f"genzoo: {kind}{message}", err=True)


def _is_for_typer(error: Exception) -> bool:
    """Whether typer raised it for itself: the end, or a usage error that it words well."""
    return isinstance(error, (typer.Exit, typer.Abort)) or hasattr(error, "format_message")


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"genzoo {installed('genzoo')}")
        raise typer.Exit


@app.callback()
def genzoo(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Which kind of generative model suits my data, and how do I know?

    Train families of generative models, compare their likelihoods in common units, draw samples.
    """


app.command("list")(lists.list_)
app.command("compare")(compare.compare)
app.command("report")(compare.report)
app.command("fit")(models.fit)
app.command("sample")(models.sample)
app.command("score")(models.score)
app.command("check")(models.check)
app.add_typer(data.app, name="data")


def main() -> None:
    """The ``genzoo`` command."""
    # so that worker processes and scratch files are cleared away
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    app()
