"""The demo closes: phantoms of a look that the shipped model does not know, corrected, learnt from."""

from collections.abc import Iterator

import numpy as np
import pytest
from running_stack import CHECKOUT, Stack, copy_weights, start_stack, stop_stack

from chestct.labels import LESIONS
from lungloop.demo.phantoms import PhantomTruth

pytestmark = pytest.mark.end_to_end

SLICES = 12


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What a newcomer has after `make up`; fewer steps than by default, for the loop alone."""
    root = tmp_path_factory.mktemp("demo")
    copy_weights(CHECKOUT / "weights", root / "weights")
    running = start_stack(root / "home", None, root / "weights", LUNGLOOP_RETRAIN_STEPS="12")
    yield running
    stop_stack(running)


def test_nothing_of_the_demo_is_known_before_it_is_read(stack: Stack) -> None:
    catalog = stack.catalog()
    slices = catalog.slices.all()
    assert len(slices) == 96
    assert not any(item.has_reference_labels for item in slices)
    catalog.close()


def test_the_reader_corrects_what_label_studio_serves_to_the_truth(stack: Stack) -> None:
    shipped = stack.json("status")["champion"]
    answer = stack.json("demo", "correct", str(SLICES))
    readings = answer["readings"]
    assert len({row["slice_id"] for row in readings}) == SLICES == answer["corrected"]
    assert 0.3 < answer["lesion_dice_of_prelabels"] < 0.85, "there is something to correct"

    catalog = stack.catalog()
    truth = PhantomTruth(catalog, stack.home)
    rows = {row.slice_id: row for row in catalog.corrections.current()}
    assert rows.keys() == {row["slice_id"] for row in readings}
    for reading in readings:
        row, item = rows[reading["slice_id"]], catalog.slices.get(reading["slice_id"])
        true = truth.of_slice(item, np.zeros((item.height, item.width), np.uint8))
        assert true is not None
        assert row.label_map_path is not None
        drawn = catalog.storage.read_label_map(row.label_map_path)
        assert np.array_equal(drawn, np.where(np.isin(true, LESIONS), true, 0))
        assert row.lead_time_seconds == pytest.approx(reading["seconds"], abs=0.1)
    # What was shown with a pre-label counts as begun from the shipped model's.
    assert {row.model_version for row in rows.values()} <= {shipped, None}
    assert sum(row.changed_fraction is not None for row in rows.values()) >= SLICES - 4
    catalog.close()


def test_a_retrain_learns_from_them_and_says_what_it_decided(stack: Stack) -> None:
    stack.lungloop("retrain", "--wait")
    (new,) = (row for row in stack.json("models", "list") if row["parent"] is not None)
    assert new["decision"]["reasons"]
    card = stack.json("models", "show", new["version"])["card"]
    fitted = {entry["source"]: entry["fitted"]["slices"] for entry in card["data"]}
    assert SLICES in fitted.values(), f"the corrections are among what was fitted: {fitted}"
