"""One real local stack for all end-to-end tests: Label Studio, queue, backend, two workers."""

from collections.abc import Iterator

import pytest
from running_stack import CHECKOUT, Stack, make_weak_weights, start_stack, stop_stack

from chestct.phantoms import write_phantoms


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Phantoms of six patients, pre-annotated; webhooks on, the sync timer too slow to help."""
    root = tmp_path_factory.mktemp("stack")
    write_phantoms(root / "data", 6, seed=7, shape=(6, 256, 256))
    make_weak_weights(CHECKOUT / "weights", root / "weights")
    running = start_stack(
        root / "home",
        root / "data",
        root / "weights",
        LUNGLOOP_SYNC_SECONDS="3600",
        LUNGLOOP_RETRAIN_STEPS="24",
    )
    yield running
    stop_stack(running)
