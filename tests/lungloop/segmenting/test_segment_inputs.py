"""Which files are segmented, and where their results go."""

from pathlib import Path

from chestct.formats.sources import EXPECTED
from lungloop.segmenting import SegmentInput, find_inputs


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def stems(found: list[SegmentInput]) -> list[str]:
    return [one.stem.as_posix() for one in found if one.error is None]


def test_a_folders_tree_is_mirrored_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "in/b/slice_10.png", "in/b/slice_2.JPG", "in/a.nii.gz", "in/c/d/e.nii", "in/notes.txt")
    assert stems(find_inputs([tmp_path / "in"], tmp_path / "out")) == [
        "a", "b/slice_2", "b/slice_10", "c/d/e",
    ]  # fmt: skip


def test_a_file_goes_straight_below_out_whatever_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "deep/case.1.nii.gz", "deep/x_mask.png")
    files = [tmp_path / "deep/case.1.nii.gz", tmp_path / "deep/x_mask.png"]
    assert stems(find_inputs(files, tmp_path / "out")) == ["case.1", "x_mask"]


def test_results_of_an_earlier_run_masks_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.png", "a.label.png", "a.overlay.png", "out/a.png", "masks/a.png", "a_mask.png", ".b.png"
    )
    assert stems(find_inputs([tmp_path], tmp_path / "out")) == ["a"]


def test_results_beside_their_inputs_are_passed_over_the_next_time(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.label.png", "a.overlay.png", "report.json")
    assert stems(find_inputs([tmp_path], tmp_path)) == ["a"]


def test_no_two_inputs_share_their_results(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.png", "x/a.jpg", "y/a.png", "y/a.jpg")
    found = find_inputs([tmp_path / "x", tmp_path / "y"], tmp_path / "out")
    assert stems(found) == ["a", "a.png", "a.jpg"]
    assert "would get the same results as" in str(found[-1].error)


def test_an_input_that_is_given_twice_is_segmented_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    assert stems(find_inputs([tmp_path / "a.png", tmp_path / "a.png", tmp_path], tmp_path / "out")) == ["a"]


def test_what_is_not_there_or_empty_is_an_entry_not_the_end(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png")
    (tmp_path / "empty").mkdir()
    found = find_inputs([tmp_path / "gone.png", tmp_path / "empty", tmp_path / "in"], tmp_path / "out")
    assert [one.error for one in found] == [
        "does not exist",
        f"holds nothing to read; {EXPECTED}",
        None,
    ]


def test_a_data_sets_masks_are_no_slices(tmp_path: Path) -> None:
    touch(tmp_path, "case/ct/000.png", "case/infection/000.png", "case/lung/000.png")
    (tmp_path / "slices.csv").write_text("volume,patient,split,slice\ncase,p,train,0\n")
    assert stems(find_inputs([tmp_path], tmp_path / "out")) == ["case/ct/000"]


def test_links_in_a_circle_are_entered_once(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    assert stems(find_inputs([tmp_path / "in"], tmp_path / "out")) == ["a"]
