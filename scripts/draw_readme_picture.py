"""Draws docs/images/boarding-school.png from what `make demo` left.

python scripts/draw_readme_picture.py [PROJECT]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "boarding-school.png"
BANDS = (
    ("prior_fit", "#c9cdd6", "before the data (prior)"),
    ("fit", "#e07a4c", "calibrated: 95 % predictive range"),
)


def main(project: Path) -> None:
    result = newest_result(project, "StochasticSIR")
    figure = Figure(figsize=(9, 3.6), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    for name, colour, label in BANDS:
        frame = pl.read_parquet(result / f"{name}.parquet")
        days = frame["day"].to_list()
        axes.fill_between(
            days, frame["q025"].to_list(), frame["q975"].to_list(),
            color=colour, alpha=0.45, lw=0, label=label,
        )  # fmt: skip
    axes.plot(days, frame["q500"].to_list(), color="#b8491a", lw=1.8, label="median")
    axes.plot(days, frame["observed"].to_list(), "o", color="#1c2430", ms=5, label="boys in bed")
    axes.set(xlabel="day of the outbreak", ylabel="boys in bed", ylim=(0, 450), xlim=(1, 14))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE)


def newest_result(project: Path, model: str) -> Path:
    """The result folder of the newest calibration of `model` in a project."""
    jobs = sorted((project / ".modelops" / "results" / "jobs").glob("calib-*"), key=started)
    found = [job for job in jobs if read_state(job)["model"].endswith(model)]
    return found[-1] / "result"


def started(job: Path) -> str:
    return read_state(job)["created"]


def read_state(job: Path) -> dict[str, str]:
    state: dict[str, str] = json.loads((job / "state.json").read_text())
    return state


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "demo" / "boarding-school")
