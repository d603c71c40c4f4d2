"""`report.html` of a simulation: curves, areas, and what beats the baseline, if anything."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.report.curves import Band, curves_file, curves_plot
from training.report.rendering import rendered

# Along what curves run, and what that is called.
ALONG = {"slices": "labelled slices", "pixels": "corrected pixels"}
_POINTS = 25
_BESIDE = "lesion Dice"


def simulation_page(results: Mapping[str, Any]) -> str:
    """What `training.simulate.results.gathered` gave, as one HTML page that asks nothing of another file."""
    bands = {along: simulation_bands(results, along) for along in ALONG}
    return rendered(
        "simulation.html",
        results=results,
        plan=results["plan"],
        strategies=results["strategies"],
        legend=[(band.name, band.stroke(number)) for number, band in enumerate(bands["slices"])],
        over_slices=curves_plot(bands["slices"], ALONG["slices"], _BESIDE),
        over_pixels=curves_plot(bands["pixels"], ALONG["pixels"], _BESIDE),
        outcomes=results["outcomes"],
    )


def simulation_pictures(results: Mapping[str, Any]) -> dict[str, str]:
    """The page's curves as SVG files, by file name."""
    return {
        f"over-{along}.svg": curves_file(simulation_bands(results, along), name, _BESIDE)
        for along, name in ALONG.items()
    }


def simulation_bands(results: Mapping[str, Any], along: str) -> list[Band]:
    """Mean, lowest and highest over seeds along "slices" or "pixels", as far as every seed came."""
    bands = []
    for name, figures in results["strategies"].items():
        curves: Sequence[Mapping[str, Sequence[float]]] = figures["curves"]
        last = min(curve[along][-1] for curve in curves)
        first = max(curve[along][0] for curve in curves)
        # Over slices the rounds are the points; pixels differ by seed, so curves are read at common places.
        places = curves[0][along] if along == "slices" else np.linspace(first, last, _POINTS).tolist()
        heights = np.array([np.interp(places, curve[along], curve["lesion_dice"]) for curve in curves])
        bands.append(
            Band(
                name,
                tuple(places),
                *(tuple(ends.tolist()) for ends in (heights.mean(0), heights.min(0), heights.max(0))),
                is_baseline=name == results["baseline"],
            )
        )
    return bands
