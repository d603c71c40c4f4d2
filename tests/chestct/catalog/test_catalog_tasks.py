import pytest

from chestct.errors import NotFoundError

PROJECT = "1:2026-01-01T00:00:00Z"


@pytest.fixture
def two_slices(catalog, make_study):
    record, _ = catalog.add_study(make_study(), "nifti")
    return catalog.slices(study_id=record.id)


def test_a_task_leads_to_its_slice_in_its_own_project_only(catalog, two_slices):
    first, _ = two_slices
    catalog.link_task(first.id, PROJECT, 7)
    catalog.link_task(first.id, PROJECT, 7)
    assert catalog.slice_of_task(PROJECT, 7) == first
    assert catalog.slice_of_task("1:2027-01-01T00:00:00Z", 7) is None  # an id that was reused
    assert catalog.slice_of_task(PROJECT, 8) is None


def test_slices_without_a_task_are_those_still_to_be_shown(catalog, two_slices):
    first, second = two_slices
    assert catalog.slices_without_task(PROJECT) == [first, second]
    catalog.link_task(first.id, PROJECT, 7)
    assert catalog.slices_without_task(PROJECT) == [second]
    catalog.unlink_tasks(PROJECT, [7])
    assert catalog.slices_without_task(PROJECT) == [first, second]


def test_of_two_tasks_for_one_slice_both_find_it_and_the_newer_is_its_task(catalog, two_slices):
    first, second = two_slices
    for slice_record, task_id in ((first, 7), (first, 9), (second, 8)):
        catalog.link_task(slice_record.id, PROJECT, task_id)
    assert catalog.tasks_of_project(PROJECT) == {first.id: 9, second.id: 8}
    assert catalog.slice_of_task(PROJECT, 7) == first


def test_a_task_that_shows_another_slice_now_is_linked_anew(catalog, two_slices):
    first, second = two_slices
    catalog.link_task(first.id, PROJECT, 7)
    catalog.link_task(second.id, PROJECT, 7)
    assert catalog.tasks_of_project(PROJECT) == {second.id: 7}


def test_an_unknown_slice_cannot_be_linked(catalog):
    with pytest.raises(NotFoundError):
        catalog.link_task(99, PROJECT, 7)


def test_task_ids_beyond_32_bits_are_kept(catalog, two_slices):
    catalog.link_task(two_slices[0].id, PROJECT, 2**40)
    assert catalog.tasks_of_project(PROJECT) == {two_slices[0].id: 2**40}
