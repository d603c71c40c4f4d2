"""`up` and `down`: the local stack."""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from chestct.errors import ServiceUnavailableError
from chestct.formats.sources import Layout
from chestct.settings import Language, Settings, TaskKind
from lungloop.console import answer, say
from lungloop.stack import home_lock, pidfiles, stack_file
from lungloop.stack.up import UpOptions, run

# Label Studio, the backend and the workers each get a few seconds to end in order.
_DOWN_SECONDS = 90.0


app = typer.Typer()


@app.command(epilog="Example: lungloop up --data ~/MosMedData --label-studio-port 8081")
def up(
    data: Annotated[
        list[Path] | None, typer.Option(exists=True, help="Studies to import; without it, phantoms are made.")
    ] = None,
    layout: Annotated[Layout, typer.Option(help="Of the studies; `auto` tells by content.")] = "auto",
    tasks: Annotated[
        TaskKind | None,
        typer.Option(help="One slice a task, or a whole study; without it as before, slices at first."),
    ] = None,
    language: Annotated[
        Language | None, typer.Option(help="Of the labels in Label Studio; without it as before.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the backend and its pages.")] = 9090,
    label_studio_port: Annotated[int, typer.Option(min=1, max=65535, help="Of Label Studio.")] = 8080,
    label_studio_env: Annotated[
        Path | None, typer.Option(help="Environment that Label Studio is installed in.")
    ] = None,
    wait_minutes: Annotated[
        float, typer.Option(min=0, help="For pre-annotation, before it goes on in the background.")
    ] = 15.0,
) -> None:
    """Start Label Studio, the queue, the backend and workers; pre-annotate; run until Ctrl-C."""
    run(
        UpOptions(
            data=tuple(data or ()),
            layout=layout,
            tasks=tasks,
            language=language,
            port=port,
            label_studio_port=label_studio_port,
            label_studio_environment=label_studio_env,
            wait_minutes=wait_minutes,
        ),
        ready=answer,
    )


@app.command(epilog="Example: lungloop down")
def down() -> None:
    """Stop the stack of this home, and what an interrupted one left running."""
    home = Settings.load().home
    supervisor = home_lock.holder(home)
    if supervisor is not None:
        say(f"stopping the stack on {home}")
        os.kill(supervisor.pid, signal.SIGTERM)
        if not home_lock.wait_until_released(home, _DOWN_SECONDS):
            raise ServiceUnavailableError(
                "the stack", f"process {supervisor.pid} does not end; look at {home / 'logs'}, then kill it"
            )
    leftovers = pidfiles.end_leftovers(home) if (home / "run").is_dir() else []
    stack_file.remove(home)
    if leftovers:
        say(f"ended what an interrupted stack had left running: {', '.join(leftovers)}")
    elif supervisor is None:
        say(f"no stack runs on {home}")
    else:
        say("stopped")
