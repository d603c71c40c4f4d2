"""`serve`, `worker` and `connect`: the parts of a stack, for those who run them their own way."""

from typing import Annotated, Literal

import typer

from chestct.job_queue import run_worker
from chestct.job_queue.names import QUICK, TRAIN
from chestct.settings import Settings
from lungloop.console import AsJson, print_json, say
from lungloop.serving import serve_backend
from lungloop.stack.connecting import connect_label_studio

QUEUES = {"quick": (QUICK,), "train": (TRAIN,), "all": (QUICK, TRAIN)}


app = typer.Typer()


@app.command(epilog="Example: LUNGLOOP_BACKEND_KEY=secret lungloop serve --host 0.0.0.0 --port 9090")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 9090,
    threads: Annotated[int, typer.Option(min=1, help="Requests answered at the same time.")] = 8,
) -> None:
    """Serve Label Studio's ML protocol and the pages, without the rest of the stack."""
    serve_backend(Settings.load(), host, port, threads)


@app.command(epilog="Example: LUNGLOOP_REDIS_URL=redis://queue:6379/0 lungloop worker --queue train")
def worker(
    queue: Annotated[Literal["quick", "train", "all"], typer.Option(help="Jobs to take.")] = "all",
    burst: Annotated[bool, typer.Option("--burst", help="End when no job waits.")] = False,
) -> None:
    """Work on the queue's jobs, on any machine that reaches the queue, the database and the storage."""
    run_worker(Settings.load(), QUEUES[queue], burst=burst)


@app.command(
    epilog="Example: LUNGLOOP_LABEL_STUDIO_URL=http://label-studio:8080 "
    "LUNGLOOP_LABEL_STUDIO_TOKEN=... lungloop connect"
)
def connect(
    project_only: Annotated[
        bool, typer.Option("--project-only", help="Before the backend runs: make the project, no more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the project in the Label Studio of the settings and connect the backend; may be repeated."""
    stack = connect_label_studio(Settings.load(), with_backend=not project_only)
    if as_json:
        print_json(stack)
    else:
        say(f"project {stack['project_id']} in {stack['label_studio_url']} is ready")
