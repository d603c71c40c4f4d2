import math

import numpy as np
import pytest
import torch

from chestct.labels import LESIONS, Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, NOT_LESION, UNKNOWN, bits
from training.fitting.losses import candidate_cross_entropy, group_dice_loss, total_loss

GROUND_GLASS, CONSOLIDATION = bits(Label.GROUND_GLASS), bits(Label.CONSOLIDATION)
BACKGROUND, LUNG = bits(Label.BACKGROUND), bits(Label.LUNG)


def known(*values: int) -> torch.Tensor:
    return torch.tensor(np.array(values, dtype=np.uint8)).reshape(1, 1, -1)


def logits_of(*pixels: tuple[float, float, float, float]) -> torch.Tensor:
    """(1, 4, 1, P) logits whose softmax is the given probabilities."""
    return torch.tensor(pixels).T.reshape(1, 4, 1, -1).log().requires_grad_()


def test_a_full_label_gives_the_usual_cross_entropy():
    logits = logits_of((0.1, 0.2, 0.3, 0.4))
    assert candidate_cross_entropy(logits, known(CONSOLIDATION)).item() == pytest.approx(-math.log(0.3))


def test_a_lesion_of_unknown_kind_is_scored_on_both_kinds_together():
    logits = logits_of((0.1, 0.2, 0.3, 0.4))
    loss = candidate_cross_entropy(logits, known(LESION_KIND_UNKNOWN))
    assert loss.item() == pytest.approx(-math.log(0.5))


def test_a_lesion_of_unknown_kind_does_not_change_the_balance_of_the_kinds():
    logits = logits_of((0.1, 0.2, 0.3, 0.4))
    candidate_cross_entropy(logits, known(LESION_KIND_UNKNOWN)).backward()
    background, ground_glass, consolidation, lung = logits.grad.flatten().tolist()
    # d/dz of -log(p1 + p2): p_k outside, p_k - p_k / (p1 + p2) inside.
    assert (background, lung) == pytest.approx((0.1, 0.4))
    assert (ground_glass, consolidation) == pytest.approx((0.2 - 0.4, 0.3 - 0.6))
    assert ground_glass / consolidation == pytest.approx(2 / 3)


def test_a_pixel_that_nobody_looked_at_adds_nothing():
    logits = logits_of((0.1, 0.2, 0.3, 0.4), (0.25, 0.25, 0.25, 0.25))
    loss, _ = total_loss(logits, known(UNKNOWN, LUNG), dice_weight=1.0)
    loss.backward()
    assert loss.item() > 0
    assert logits.grad[..., 0].abs().max() == 0
    assert logits.grad[..., 1].abs().max() > 0


def test_a_batch_that_nobody_looked_at_has_no_loss_and_no_gradient():
    logits = logits_of((0.1, 0.2, 0.3, 0.4))
    loss, _ = total_loss(logits, known(UNKNOWN), dice_weight=1.0)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def settled(*known_values: int) -> list[float]:
    """Probabilities of one look that pixels share, once the loss over their labels is at its lowest."""
    shared = torch.zeros(4, requires_grad=True)
    labels = known(*known_values)
    for _ in range(2000):
        logits = shared.reshape(1, 4, 1, 1).expand(1, 4, 1, len(known_values))
        (slope,) = torch.autograd.grad(candidate_cross_entropy(logits, labels), shared)
        shared = (shared - slope).detach().requires_grad_()
    return shared.softmax(0).tolist()


def test_one_source_that_names_a_class_teaches_it_though_three_hide_it():
    consolidation = int(Label.CONSOLIDATION)
    hidden = settled(CONSOLIDATION, *[LESION_KIND_UNKNOWN] * 3)
    assert hidden[consolidation] == pytest.approx(1.0, abs=0.01)
    # Naive labels take the hidden kind for ground-glass: the look is torn 1 to 3.
    naive = settled(CONSOLIDATION, *[GROUND_GLASS] * 3)
    assert naive[consolidation] == pytest.approx(1 / 4, abs=0.01)
    lung = int(Label.LUNG)
    assert settled(LUNG, *[NOT_LESION] * 3)[lung] == pytest.approx(1.0, abs=0.01)
    assert settled(LUNG, *[BACKGROUND] * 3)[lung] == pytest.approx(1 / 4, abs=0.01)


def test_a_hidden_class_is_pushed_up_by_candidates_and_down_by_naive_labels():
    consolidation = int(Label.CONSOLIDATION)
    open_kind = logits_of((0.1, 0.2, 0.3, 0.4))
    candidate_cross_entropy(open_kind, known(LESION_KIND_UNKNOWN)).backward()
    # p_k - p_k / (p1 + p2): the slope is negative, so a step down it raises the logit.
    assert open_kind.grad.flatten()[consolidation].item() == pytest.approx(0.3 - 0.6)
    naive = logits_of((0.1, 0.2, 0.3, 0.4))
    candidate_cross_entropy(naive, known(GROUND_GLASS)).backward()
    assert naive.grad.flatten()[consolidation].item() == pytest.approx(0.3)


def test_lungs_that_a_source_does_not_label_add_nothing():
    logits = logits_of((0.1, 0.2, 0.3, 0.4))
    candidate_cross_entropy(logits, known(NOT_LESION)).backward()
    background, *_, lung = logits.grad.flatten().tolist()
    # Pushed away from lesions only, in the proportion in which the network sees them.
    assert background / lung == pytest.approx(0.1 / 0.4)


@pytest.mark.parametrize("gap", [0.0, 5.0, 80.0, 1000.0])
def test_logits_far_apart_have_a_finite_loss_and_slope(gap):
    logits = torch.tensor([gap, 0.0, 0.0, 0.0]).reshape(1, 4, 1, 1).requires_grad_()
    loss = candidate_cross_entropy(logits, known(LESION_KIND_UNKNOWN))
    loss.backward()
    outside = 1 / (1 + 3 * math.exp(-gap))
    assert loss.item() == pytest.approx(
        math.log(math.exp(min(gap, 90.0)) + 3) - math.log(2) + max(gap - 90, 0)
    )
    background, ground_glass, consolidation, lung = logits.grad.flatten().tolist()
    assert background == pytest.approx(outside)
    assert lung == pytest.approx((1 - outside) / 3, abs=1e-6)
    assert ground_glass == consolidation == pytest.approx((1 - outside) / 3 - 0.5, abs=1e-6)


def test_a_pixel_without_any_possible_class_adds_nothing_and_spoils_no_slope():
    logits = logits_of((0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4))
    loss = candidate_cross_entropy(logits, known(0, LUNG))
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(0.4))
    assert logits.grad[..., 0].abs().max() == 0
    assert logits.grad[..., 1].isfinite().all()


def test_dice_leaves_out_pixels_whose_kind_is_open():
    probabilities = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]).T.reshape(1, 4, 1, 2)
    both = group_dice_loss(
        probabilities.unbind(1), known(GROUND_GLASS, LESION_KIND_UNKNOWN), (Label.GROUND_GLASS,)
    )
    alone = group_dice_loss(probabilities[..., :1].unbind(1), known(GROUND_GLASS), (Label.GROUND_GLASS,))
    assert both.item() == alone.item() == pytest.approx(0.0)


def test_dice_of_a_class_that_no_pixel_shows_is_left_out():
    planes = torch.full((1, 4, 1, 2), 0.25).unbind(1)
    assert group_dice_loss(planes, known(LUNG, BACKGROUND), (Label.CONSOLIDATION,)) is None
    assert group_dice_loss(planes, known(LESION_KIND_UNKNOWN, LUNG), (Label.GROUND_GLASS,)) is None


def test_dice_counts_soft_pixels():
    # 4 pixels, all infected by truth, half the probability on each: overlap 2, sums 2 + 4.
    probabilities = torch.tensor([0.5, 0.25, 0.25, 0.0]).reshape(1, 4, 1, 1).expand(1, 4, 1, 4)
    loss = group_dice_loss(probabilities.unbind(1), known(*[LESION_KIND_UNKNOWN] * 4), LESIONS)
    smooth = 10
    assert loss.item() == pytest.approx(1 - (2 * 2 + smooth) / (2 + 4 + smooth))


def test_each_part_of_the_loss_is_named_for_the_curve():
    logits = logits_of((0.1, 0.2, 0.3, 0.4))
    _, parts = total_loss(logits, known(LESION_KIND_UNKNOWN), dice_weight=1.0)
    assert set(parts) == {"cross_entropy", "dice_loss_infection", "dice_loss_lung"}
