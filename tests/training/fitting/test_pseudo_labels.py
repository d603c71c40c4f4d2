import numpy as np
import pytest

from chestct.labels import Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, UNKNOWN, bits
from training.data.dataset import TrainingSample
from training.fitting.pseudo_labels import SURE, kinds_of, with_guessed_kinds

GROUND_GLASS, CONSOLIDATION = bits(Label.GROUND_GLASS), bits(Label.CONSOLIDATION)
LUNG, BACKGROUND = bits(Label.LUNG), bits(Label.BACKGROUND)


def probabilities(*pixels: tuple[float, float, float, float]) -> np.ndarray:
    """(4, 1, P) from one tuple a pixel: background, ground-glass, consolidation, lung."""
    return np.array(pixels, np.float32).T[:, None]


class Says:
    """A model that says the same of every picture."""

    def __init__(self, answer: np.ndarray) -> None:
        self.answer, self.asked = answer, 0

    def unit_probabilities(self, image: np.ndarray, /) -> np.ndarray:
        self.asked += 1
        return self.answer

    def label_map(self, probabilities: np.ndarray, /) -> np.ndarray:
        raise AssertionError("a guess is made from probabilities")


def sample(*partial_labels: int) -> TrainingSample:
    known = np.array([partial_labels], np.uint8)
    return TrainingSample(np.zeros(known.shape, np.float32), known, "a", "p", "s")


@pytest.mark.parametrize(
    ("ground_glass", "consolidation", "guessed"),
    [
        (0.6, 0.1, GROUND_GLASS),
        (0.1, 0.6, CONSOLIDATION),
        (0.3, 0.3, LESION_KIND_UNKNOWN),
        (0.5, 0.2, LESION_KIND_UNKNOWN),
        # The network sees no lesion here, the reader did: its kind is guessed all the same.
        (0.02, 0.001, GROUND_GLASS),
        (0.0, 0.0, LESION_KIND_UNKNOWN),
    ],
)
def test_an_open_kind_is_filled_in_where_the_guess_is_sure(ground_glass, consolidation, guessed):
    rest = 1 - ground_glass - consolidation
    seen = probabilities((rest / 2, ground_glass, consolidation, rest / 2))
    assert kinds_of(np.array([[LESION_KIND_UNKNOWN]], np.uint8), seen).item() == guessed
    assert SURE == 0.75


def test_what_a_reader_said_is_never_changed():
    told = np.array([[GROUND_GLASS, CONSOLIDATION, LUNG, BACKGROUND, UNKNOWN]], np.uint8)
    seen = probabilities(*[(0.0, 0.0, 1.0, 0.0)] * 5)
    np.testing.assert_array_equal(kinds_of(told, seen), told)


def test_the_mean_of_the_versions_counts():
    surely, hardly = probabilities((0, 0.9, 0.1, 0)), probabilities((0, 0.5, 0.5, 0))
    (filled,) = with_guessed_kinds([sample(LESION_KIND_UNKNOWN)], [Says(surely)])
    (torn,) = with_guessed_kinds([sample(LESION_KIND_UNKNOWN)], [Says(surely), Says(hardly)])
    assert filled.partial_labels.item() == GROUND_GLASS
    assert torn.partial_labels.item() == LESION_KIND_UNKNOWN


def test_a_sample_without_an_open_kind_costs_no_look():
    model = Says(probabilities((0, 1, 0, 0)))
    given = sample(CONSOLIDATION)
    assert with_guessed_kinds([given], [model]) == [given]
    assert model.asked == 0
