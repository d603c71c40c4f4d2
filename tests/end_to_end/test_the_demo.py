"""The demo closes: phantoms of a look that the shipped model does not know, corrected, learnt from."""

from collections.abc import Iterator

import numpy as np
import pytest
from running_stack import CHECKOUT, Stack, copy_weights, start_stack, stop_stack, wait_until

from chestct.labels import LESIONS
from lungloop.demo.phantoms import PhantomTruth

pytestmark = pytest.mark.end_to_end

SLICES = 12


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What a newcomer has after `make up`; half the steps of the default, for the time it takes."""
    root = tmp_path_factory.mktemp("demo")
    copy_weights(CHECKOUT / "weights", root / "weights")
    running = start_stack(root / "home", None, root / "weights", LUNGLOOP_RETRAIN_STEPS="36")
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


def lesion_dice_of_open_prelabels(stack: Stack) -> float:
    """Of what Label Studio shows now on the open slices of corrected studies, against the truth."""
    catalog = stack.catalog()
    truth, release = PhantomTruth(catalog, stack.home), catalog.versions.required_release()
    corrected = {row.slice_id for row in catalog.corrections.current()}
    studies = {item.study_id for item in catalog.slices.all() if item.id in corrected}
    both = pixels = 0
    for item in catalog.slices.open():
        if item.study_id in studies:
            prediction = catalog.predictions.of_slice(item.id, release.name)
            assert prediction is not None
            shown = catalog.storage.read_label_map(prediction.label_map_path)
            true = truth.of_slice(item, shown)
            assert true is not None
            lesions = np.isin(shown, LESIONS), np.isin(true, LESIONS)
            both += int((lesions[0] & lesions[1]).sum())
            pixels += int(lesions[0].sum() + lesions[1].sum())
    catalog.close()
    return 2 * both / pixels


def test_a_retrain_learns_from_them_and_what_is_open_is_visibly_better(stack: Stack) -> None:
    before = lesion_dice_of_open_prelabels(stack)
    stack.lungloop("retrain", "--wait")
    (new,) = (row for row in stack.json("models", "list") if row["parent"] is not None)
    assert new["decision"]["serves"] in ("open studies", "all"), new["decision"]["reasons"]
    card = stack.json("models", "show", new["version"])["card"]
    fitted = {entry["source"]: entry["fitted"]["slices"] for entry in card["data"]}
    assert SLICES in fitted.values(), f"the corrections are among what was fitted: {fitted}"

    def predicted() -> bool:
        counts = stack.json("status")["counts"]
        return counts["predicted"] == counts["slices"]

    wait_until("the new release has predicted every slice", predicted, 300, every=5)
    after = lesion_dice_of_open_prelabels(stack)
    assert after > before + 0.05, f"{before:.3f} to {after:.3f}"
