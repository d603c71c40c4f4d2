"""One slice, looked at as `Views` says: find the lungs, look, check, put the answers together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from chestct.inference.engine import Engine, resized
from chestct.inference.lung_box import Box, cuts_lung, is_worth_a_look, lung_box
from chestct.inference.uncertainty import ensemble_disagreement
from chestct.labels import Label
from chestct.model.architecture import SIZE_STEP
from chestct.model.views import Views

# In the order of Label. Of the pixels outside the boxes of held-out COVID-19-CT-Seg patients 0.04 % were
# lung or lesion; 0 would make each of them a certain error.
_OUTSIDE_THE_LUNGS = np.array([0.9996, 0.0001, 0.0001, 0.0002], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class View:
    """A part of a slice and the tensor that goes with it.

    Args:
        box: rows and columns of the slice.
        pixels: the view at the network's size before the look; its probabilities after it.
        flip: looked at a second time, left and right exchanged.
        passes: the probabilities of each pass, after the look; `pixels` is their mean.
    """

    box: Box
    pixels: torch.Tensor
    flip: bool = False
    passes: tuple[torch.Tensor, ...] = ()


class SliceViews:
    """The views that a version takes of single slices.

    Args:
        side: of the network's square.
    """

    def __init__(self, engine: Engine, views: Views, side: int) -> None:
        self._engine, self._views, self._side = engine, views, side
        # Half the side finds the lungs as well as the whole side does; at three eighths it did not.
        self._low_resolution_side = max(SIZE_STEP, side // 2 // SIZE_STEP * SIZE_STEP)

    def low_resolution_pass(self, picture: torch.Tensor) -> Box | None:
        """Where the lungs of an (H, W) picture in [0, 1] are; None where `Views` does not ask."""
        if not self._views.lung:
            return None
        [seen] = self._engine.look(self._engine.prepared(picture, self._low_resolution_side))
        return lung_box(seen.numpy(), _shape(picture))

    def views(self, picture: torch.Tensor, box: Box | None) -> list[View]:
        """What to look at, made ready: the lungs, the whole slice, or both."""
        shape = _shape(picture)
        boxes = [box] if box is not None and is_worth_a_look(box, shape) else []
        if self._views.whole or not boxes:
            boxes.insert(0, _whole(shape))
        flip = self._views.flip or (self._views.whole and self._views.lung and len(boxes) == 1)
        return [View(part, self._engine.prepared(picture[part], self._side), flip) for part in boxes]

    def look(self, picture: torch.Tensor, views: list[View]) -> list[View]:
        """The probabilities of each view.

        Where the box turns out to cut the lungs, the whole slice is looked at as well.

        Raises:
            WeightsError: the network answers with NaN.
        """
        seen, shape = list(map(self._seen, views)), _shape(picture)
        whole = _whole(shape)
        if seen[0].box != whole and cuts_lung(seen[0].pixels.numpy(), seen[0].box, shape):
            seen.insert(0, self._seen(View(whole, self._engine.prepared(picture, self._side), views[0].flip)))
        return seen

    def _seen(self, view: View) -> View:
        passes = self._engine.look(view.pixels, flip=view.flip)
        with torch.inference_mode():
            mean = passes[0] if len(passes) == 1 else (passes[0] + passes[1]) / 2
        return View(view.box, mean, view.flip, tuple(passes))


def composed(seen: list[View], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(4, H, W) probabilities: the mean of the views that show a pixel.

    What no view shows lies outside the lungs and is background.
    """
    with torch.inference_mode():
        first = seen[0]
        if first.box == _whole(shape):
            composed = resized(first.pixels[None], shape)[0].numpy()
            # The resized tensor may be the network's own answer.
            composed = composed.copy() if len(seen) > 1 else composed
        else:
            composed = np.empty((len(Label), *shape), dtype=np.float32)
            composed[:] = _OUTSIDE_THE_LUNGS[:, None, None]
            composed[:, *first.box] = _fitted(first.pixels, first.box)
        for view in seen[1:]:
            composed[:, *view.box] = (composed[:, *view.box] + _fitted(view.pixels, view.box)) / 2
    return composed


def disagreement(seen: list[View], shape: tuple[int, int], step: int) -> npt.NDArray[np.float32] | None:
    """How far the passes disagree, at each `step`-th row and column of the slice.

    Args:
        seen: views with their passes.
        shape: (H, W) of the slice.
    Returns:
        As `chestct.inference.uncertainty.ensemble_disagreement`; None where there was one pass.
    """
    passes = [(view.box, part) for view in seen for part in view.passes]
    if len(passes) < 2:
        return None
    views = []
    for box, part in passes:
        view = np.full((len(Label), *shape), np.nan, dtype=np.float32)
        view[:, *box] = _fitted(part, box)
        views.append(view[:, ::step, ::step])
    return ensemble_disagreement(views)


def _fitted(probabilities: torch.Tensor, box: Box) -> npt.NDArray[np.float32]:
    rows, columns = box
    size = (rows.stop - rows.start, columns.stop - columns.start)
    with torch.inference_mode():
        return resized(probabilities[None], size)[0].numpy()


def _whole(shape: tuple[int, int]) -> Box:
    return slice(0, shape[0]), slice(0, shape[1])


def _shape(picture: torch.Tensor) -> tuple[int, int]:
    return picture.shape[0], picture.shape[1]
