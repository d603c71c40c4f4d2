"""Time per slice of POST /predict over HTTP, beside the bare network.

Compared, in turns, slice by slice, in one run: (a) one forward pass of the champion's network on a
ready tensor in this process, and (b) a real backend in a process of its own, asked over loopback
for a slice it has not seen (read the slice, window, resize, network, resize back, label map to
disk, row in the database, RLE, JSON), and (c) asked again for the same slice (from the catalog).
The product looks twice at a slice alone (the whole and the lungs, or the mirror image) after a glance at
half the side, so two bare passes are the least that (b) has to do; both ratios are given.
Phantom slices of 512 x 512; one torch thread on both sides, so that they can share a machine.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import httpx
import torch
from _results import Measurement, write
from _weights import newest_base

from chestct.catalog.catalog import Catalog
from chestct.formats.layouts import discover
from chestct.model.network import build_network
from chestct.model.precision import placed, preferred_device
from chestct.model.weights import load_version
from chestct.phantoms import write_phantoms
from chestct.settings import Settings
from chestct.study import Study

_SLICES = 24
_GOAL_RATIO_OF_TWO_PASSES = 1.5
_CONFIG = (Path(__file__).parents[1] / "annotation_configs" / "slice.xml").read_text()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_phantoms(home / "data", 2, seed=3, shape=(_SLICES // 2 + 1, 512, 512))
        os.environ.update(LUNGLOOP_HOME=str(home / "home"))
        settings = Settings.load()
        catalog = Catalog.open(settings.database_url, settings.storage_url)
        for study in discover([home / "data"]):
            assert isinstance(study, Study), study
            catalog.studies.add(study, "mosmed")
        version = catalog.versions.ensure_base(newest_base(settings.weights_dir)).version
        port = 19090
        server = subprocess.Popen(
            [sys.executable, "-m", "lungloop", "serve", "--port", str(port)], stderr=subprocess.DEVNULL
        )
        try:
            bare, fresh, cached = measure(catalog, bare_network(settings, version), port)
        finally:
            server.terminate()
            server.wait()
            catalog.close()
    bare_ms, fresh_ms, cached_ms = (1000 * statistics.median(times) for times in (bare, fresh, cached))
    ratio = statistics.median(f / b for f, b in zip(fresh, bare, strict=True))
    baseline = (
        f"bare network {bare_ms:.0f} ms a pass, /predict {fresh_ms:.0f} ms (medians of {len(bare)} slices)"
    )
    write(
        "predict",
        [
            Measurement(
                "/predict of a slice not seen before / one pass of the bare network",
                ratio,
                "x",
                baseline,
                "none: it makes two passes",
                None,
            ),
            Measurement(
                "/predict of a slice not seen before / two passes of the bare network",
                ratio / 2,
                "x",
                baseline,
                f"at most {_GOAL_RATIO_OF_TWO_PASSES}",
                ratio / 2 <= _GOAL_RATIO_OF_TWO_PASSES,
            ),
            Measurement(
                "/predict of a slice seen before / one pass of the bare network",
                cached_ms / bare_ms,
                "x",
                f"bare network {bare_ms:.0f} ms, /predict {cached_ms:.1f} ms",
                "at most 0.2",
                cached_ms / bare_ms <= 0.2,
            ),
        ],
    )


def bare_network(settings: Settings, version: str) -> Callable[[], None]:
    """One forward pass on a ready tensor, placed as the product places it."""
    card, weights = load_version(settings.weights_dir, version)
    network = build_network(card.architecture)
    network.load_state_dict(weights)
    network = placed(network, preferred_device()).eval()
    picture = torch.rand(1, 1, card.input_size, card.input_size, device=preferred_device())
    picture = picture.contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            network(picture).cpu()

    return forward


def measure(
    catalog: Catalog, forward: Callable[[], None], port: int
) -> tuple[list[float], list[float], list[float]]:
    """Seconds per slice of the bare network, of a fresh and of a repeated /predict, in turns."""
    bare: list[float] = []
    fresh: list[float] = []
    cached: list[float] = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        _wait(client)
        for number, found in enumerate(catalog.slices.all()[:_SLICES]):
            task = {
                "id": number,
                "data": {
                    "image": f"/data/local-files/?d=storage/{found.picture_path}",
                    "study": found.study_name,
                    "slice": found.index,
                },
            }
            body = {"tasks": [task], "label_config": _CONFIG, "project": "1.1"}
            times = (
                _timed(forward),
                _timed(lambda body=body: _predict(client, body)),
                _timed(lambda body=body: _predict(client, body)),
            )
            if number < 2:
                continue  # the first calls load the network and warm its memory, on both sides
            for kept, seconds in zip((bare, fresh, cached), times, strict=True):
                kept.append(seconds)
    return bare, fresh, cached


def _predict(client: httpx.Client, body: dict[str, object]) -> None:
    answer = client.post("/predict", json=body)
    answer.raise_for_status()
    (result,) = answer.json()["results"]
    if "failed" in result["model_version"]:
        raise RuntimeError(f"/predict failed: {result}")


def _timed(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _wait(client: httpx.Client) -> None:
    for _ in range(120):
        try:
            client.get("/health").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.5)
    raise RuntimeError("the backend did not start within 60 s")


if __name__ == "__main__":
    main()
