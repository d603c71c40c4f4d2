"""The front door: every command, and the one place where an error becomes an exit code and a sentence."""

import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from chestct.errors import LungLoopError, NotFoundError, ServiceUnavailableError, SettingsError, WeightsError
from lungloop.commands import COMMANDS, load_command
from lungloop.console import say


class ExitCode(IntEnum):
    """What a script can rely on."""

    DONE = 0
    SOME_INPUTS_FAILED = 1
    WRONG_USAGE = 2
    SERVICE_MISSING = 3


class _OnDemand(TyperGroup):
    """Shows each command by its name and line, and loads only the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        lines: dict[str, Any] = {name: TyperCommand(name, help=line) for name, (_, line) in COMMANDS.items()}
        self.commands = lines

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        # The table has each command's line: no module is imported to show it.
        TyperGroup(commands={**self.commands}, params=self.params, help=self.help).format_help(ctx, formatter)


app = typer.Typer(
    name="lungloop",
    cls=_OnDemand,
    help="Annotate chest CT with a model that learns from the corrections.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options_of_every_command(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere in the line.")
    ] = False,
) -> None:
    # `run` has taken --debug out of the line by now; it is declared here for the help page.
    pass


def exit_code_of(error: LungLoopError) -> ExitCode:
    """The exit code that tells a script what kind of error this was."""
    if isinstance(error, ServiceUnavailableError):
        return ExitCode.SERVICE_MISSING
    if isinstance(error, SettingsError | NotFoundError | WeightsError):
        return ExitCode.WRONG_USAGE
    return ExitCode.SOME_INPUTS_FAILED


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; never raises what a user can cause."""
    debug = "--debug" in arguments
    try:
        app(args=[argument for argument in arguments if argument != "--debug"], prog_name="lungloop")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ExitCode.SOME_INPUTS_FAILED)
    except LungLoopError as error:
        if debug:
            traceback.print_exc()
        say(f"lungloop: {error}")
        return int(exit_code_of(error))
    return int(ExitCode.DONE)


def main() -> None:
    """Entry point of the `lungloop` script."""
    sys.exit(run(sys.argv[1:]))
