"""What a synthetic reader knows of a slice."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from chestct.catalog.records import SliceRecord

LabelMap = npt.NDArray[np.uint8]


class Truth(Protocol):
    """Where the synthetic reader's answers come from."""

    def of_slice(self, slice_record: SliceRecord, shown: LabelMap) -> LabelMap | None:
        """The label map that the reader draws.

        Args:
            slice_record: the slice.
            shown: (H, W) uint8, values of Label: its pre-label as the reader sees it, for truths that leave
                something open, such as the kind of a lesion; zeros where none is shown.
        Returns:
            (H, W) uint8, values of Label, of which lesions are drawn; None where the truth is not known.
        """
        ...
