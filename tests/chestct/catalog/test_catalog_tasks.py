import pytest

from chestct.errors import NotFoundError

PROJECT = "1:2026-01-01T00:00:00Z"


@pytest.fixture
def two_slices(catalog, make_study):
    record, _ = catalog.studies.add(make_study(), "nifti")
    return catalog.slices.of_study(record.id)


def test_a_task_leads_to_its_slice_in_its_own_project_only(catalog, two_slices):
    first, _ = two_slices
    catalog.tasks.link(first.id, PROJECT, 7)
    catalog.tasks.link(first.id, PROJECT, 7)
    assert catalog.tasks.slice_of(PROJECT, 7) == first
    assert catalog.tasks.slice_of("1:2027-01-01T00:00:00Z", 7) is None  # an id that was reused
    assert catalog.tasks.slice_of(PROJECT, 8) is None


def test_slices_without_a_task_are_those_still_to_be_shown(catalog, two_slices):
    first, second = two_slices
    assert catalog.tasks.slices_without(PROJECT) == [first, second]
    catalog.tasks.link(first.id, PROJECT, 7)
    assert catalog.tasks.slices_without(PROJECT) == [second]
    catalog.tasks.unlink(PROJECT, [7])
    assert catalog.tasks.slices_without(PROJECT) == [first, second]


def test_of_two_tasks_for_one_slice_both_find_it_and_the_newer_is_its_task(catalog, two_slices):
    first, second = two_slices
    for slice_record, task_id in ((first, 7), (first, 9), (second, 8)):
        catalog.tasks.link(slice_record.id, PROJECT, task_id)
    assert catalog.tasks.by_slice(PROJECT) == {first.id: 9, second.id: 8}
    assert catalog.tasks.slice_of(PROJECT, 7) == first


def test_a_task_that_shows_another_slice_now_is_linked_anew(catalog, two_slices):
    first, second = two_slices
    catalog.tasks.link(first.id, PROJECT, 7)
    catalog.tasks.link(second.id, PROJECT, 7)
    assert catalog.tasks.by_slice(PROJECT) == {second.id: 7}


def test_an_unknown_slice_cannot_be_linked(catalog):
    with pytest.raises(NotFoundError):
        catalog.tasks.link(99, PROJECT, 7)


def test_task_ids_beyond_32_bits_are_kept(catalog, two_slices):
    catalog.tasks.link(two_slices[0].id, PROJECT, 2**40)
    assert catalog.tasks.by_slice(PROJECT) == {two_slices[0].id: 2**40}
