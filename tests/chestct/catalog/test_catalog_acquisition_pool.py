"""A pool holds what an order is made from: open, predicted, one row each."""

from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from chestct.acquisition.allocation import Shares
from chestct.acquisition.strategies import STRATEGIES
from chestct.acquisition.worklist import Policy, order_pool
from chestct.catalog import tables
from chestct.labels import Split


def doubtful(prediction, **figures):
    known = {"ground_glass_entropy": 0.1, "consolidation_entropy": 0.05, "lesion_zone": 0.25}
    return replace(prediction, **{"zone_entropy": 0.5, **known, **figures})


def test_a_pool_holds_the_open_slices_that_the_version_predicted(
    catalog, make_study, make_prediction, correct
):
    catalog.studies.add(make_study("a", slice_count=3, patient="one"), "nifti")
    catalog.studies.add(make_study("b", slice_count=1, seed=1, patient="other", split=Split.TEST), "nifti")
    catalog.studies.add(make_study("c", slice_count=1, seed=2, patient="one"), "nifti")
    slices = catalog.slices.all()
    for one in slices:
        catalog.predictions.add(one.id, "v2", doubtful(make_prediction(), disagreement=0.125))
    catalog.predictions.add(slices[0].id, "base-1", make_prediction())
    correct(slices[1].id)
    pool = catalog.pool.of_version("v2")
    kept = [slices[index] for index in (0, 2, 3, 4)]
    assert pool.slice_ids.tolist() == [one.id for one in kept]
    assert pool.study_ids.tolist() == [one.study_id for one in kept]
    assert pool.positions.tolist() == [0, 2, 0, 0]
    assert pool.patients.tolist() == [0, 0, 1, 0]
    assert pool.zone_entropy.tolist() == [0.5] * 4
    assert pool.ground_glass_entropy.tolist() == [0.1] * 4
    assert pool.consolidation_entropy.tolist() == [0.05] * 4
    assert pool.disagreement.tolist() == [0.125] * 4
    assert pool.lesion_zone.tolist() == [0.25] * 4
    assert np.isnan(pool.grade_chance).all()
    assert pool.held_back.tolist() == [False, False, True, False]
    assert len(catalog.pool.of_version("nobody's")) == 0


def test_fingerprints_come_back_with_all_their_bits_and_missing_ones_are_unknown(
    catalog, make_study, make_prediction
):
    catalog.studies.add(make_study(slice_count=3), "nifti")
    slices = tables.slices
    for one, kept in zip(catalog.slices.all(), (-1, 5, None), strict=True):
        catalog.predictions.add(one.id, "v2", make_prediction())
        with catalog._database.writing() as connection:
            connection.execute(sa.update(slices).where(slices.c.id == one.id).values(fingerprint=kept))
    assert catalog.pool.of_version("v2").fingerprints.tolist() == [2**64 - 1, 5, 0]


def test_predictions_from_before_the_columns_are_ordered_by_their_confidence(
    catalog, make_study, make_prediction
):
    catalog.studies.add(make_study(slice_count=3), "nifti")
    slices = catalog.slices.all()
    for one, score in zip(slices, (0.75, 0.25, 0.5), strict=True):
        catalog.predictions.add(one.id, "base-1", make_prediction(score=score))
    pool = catalog.pool.of_version("base-1")
    assert pool.zone_entropy.tolist() == [0.25, 0.75, 0.5]
    for column in (
        pool.ground_glass_entropy,
        pool.consolidation_entropy,
        pool.disagreement,
        pool.lesion_zone,
    ):
        assert np.isnan(column).all()
    policy = Policy(shares=Shares(control=0.0))
    for strategy in STRATEGIES.values():
        ordered = order_pool(pool, strategy, catalog.allocations.all(), policy, seed=0)
        catalog.worklist.keep("base-1", ordered.slice_ids, ordered.reasons)
        served = [one.slice for one in catalog.worklist.next(3)]
        assert sorted(one.id for one in served) == [one.id for one in slices]
        if strategy.name in ("entropy", "disagreement", "decision"):
            assert [one.index for one in served] == [1, 2, 0]
