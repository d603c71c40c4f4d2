"""Makes the pictures of the README from phantoms: no patient is shown anywhere in this repository.

Run `.venv/bin/python docs/pictures/make.py` after `make test-environments`; it starts a real stack in
a temporary folder, reads a few slices as a radiologist would, retrains, and takes screenshots.
"""

import sys
import tempfile
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_CHECKOUT / "tests" / "end_to_end"))

import numpy as np
from reader import reader_at
from running_stack import Stack, make_weak_weights, start_stack, stop_stack, wait_until
from test_in_the_browser import slice_with_lesions
from test_the_loop_closes import submit, train_tasks

from chestct.labels import Label
from chestct.phantoms import write_phantoms

_OUT = Path(__file__).parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_phantoms(root / "data", 8, seed=11, shape=(10, 512, 512))
        make_weak_weights(_CHECKOUT / "weights", root / "weights")
        stack = start_stack(root / "home", root / "data", root / "weights", LUNGLOOP_RETRAIN_STEPS="40")
        try:
            pictures(stack)
        finally:
            stop_stack(stack)


def pictures(stack: Stack) -> None:
    """The pre-label as a reader meets it, and the page after a retrain."""
    task, _, _ = slice_with_lesions(stack)
    with reader_at(stack, height=1000) as reader:
        reader.open_task(task["id"])
        reader.screenshot(_OUT / "label-studio-prelabel.png")
    answer_with_the_truth(stack, 8)
    stack.lungloop("retrain", "--wait")
    wait_until("the decision is on record", lambda: len(stack.json("models", "list")) > 1, 300)
    wait_until("the new version has looked at every slice", lambda: everything_predicted(stack), 600, 5)
    with reader_at(stack, height=1100) as reader:
        reader.page.goto(stack.facts["page_url"])
        reader.page.wait_for_timeout(1500)
        reader.page.screenshot(path=_OUT / "state-after-promotion.png", full_page=True)


def everything_predicted(stack: Stack) -> bool:
    """No pre-annotation is left to do."""
    status = stack.json("status")
    return status["counts"]["predicted"] == status["counts"]["slices"] and status["queue"]["running"] == 0


def answer_with_the_truth(stack: Stack, count: int) -> None:
    """Corrections that equal the phantoms' own label maps."""
    catalog = stack.catalog()
    for task in train_tasks(stack):
        record = catalog.slices.reference_labels(
            catalog.slices.by_index(task["data"]["study"], task["data"]["slice"]).id
        )
        if record is None or count == 0:
            continue
        label_map = np.zeros(record.shape, np.uint8)
        for label in (Label.GROUND_GLASS, Label.CONSOLIDATION):
            label_map[record == 1 << label] = label
        submit(stack, task, label_map, seconds=20 + count)
        count -= 1
    catalog.close()


if __name__ == "__main__":
    main()
