"""Strategies by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelops_calabaria.alignment import (
    ALIGNMENT_STRATEGIES,
    AsofJoin,
    ExactJoin,
    JoinAlignment,
    MetricAlignment,
    make_alignment,
    register_alignment,
)
from modelops_contracts.errors import Conflict, InvalidValue
from support.scoring import frame


def test_the_built_in_names() -> None:
    assert list(ALIGNMENT_STRATEGIES)[:5] == ["exact", "nearest", "backward", "forward", "metric"]
    assert make_alignment("exact", ["day", "age"]) == ExactJoin(["day", "age"])
    assert make_alignment("nearest", "t", by="age", tolerance=2) == AsofJoin(
        "t", "age", tolerance=2
    )
    assert make_alignment("metric", "R0").on == MetricAlignment("R0").on


def test_the_table_is_read_only() -> None:
    with pytest.raises(TypeError):
        ALIGNMENT_STRATEGIES["mine"] = ExactJoin  # type: ignore[index]


def test_join_alignment_is_the_strategy_it_names() -> None:
    observed, simulated = frame(t=[1.4], y=[0]), frame(t=[1, 2], y=[5, 6])
    join = JoinAlignment("t", mode="backward", tolerance=0.5)
    assert join.align(observed, [simulated]).get_sim_col("y").to_list() == [5]
    assert JoinAlignment(["t"]).on == ["t"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"on_cols": "t", "mode": "exact", "tolerance": 1.0}, "no use for tolerance"),
        ({"on_cols": "t", "mode": "exact", "by": "age"}, "no use for by"),
        ({"on_cols": ["t", "age"], "mode": "nearest"}, "exactly one key"),
        ({"on_cols": "t", "mode": "closest"}, "unknown alignment 'closest'; known: exact"),
        ({"on_cols": "t", "mode": "metric", "by": "age"}, "no use for by"),
        ({"on_cols": "t", "mode": "exact", "fuzzy": True}, "fuzzy"),
    ],
)
def test_what_a_mode_cannot_use_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        JoinAlignment(**arguments)


def test_a_registered_name_works_at_once() -> None:
    def by_week(on: Any, by: Any = None, **_options: Any) -> ExactJoin:
        return ExactJoin(on, duplicates="sum")

    register_alignment("weekly", by_week)
    assert JoinAlignment("week", mode="weekly").strategy == ExactJoin("week", duplicates="sum")
    assert "weekly" in ALIGNMENT_STRATEGIES
    with pytest.raises(Conflict, match="exists already"):
        register_alignment("weekly", by_week)
    register_alignment("weekly", lambda on, by=None: ExactJoin(on), replace=True)
    assert make_alignment("weekly", "week") == ExactJoin("week")


def test_installed_packages_add_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fuzzy_joins.py").write_text(
        "from modelops_calabaria import ExactJoin\n"
        "def fuzzy(on, by=None):\n"
        "    return ExactJoin(on, duplicates='last')\n"
    )
    info = tmp_path / "fuzzy_joins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fuzzy-joins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[modelops.alignments]\nfuzzy = fuzzy_joins:fuzzy\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert make_alignment("fuzzy", "day") == ExactJoin("day", duplicates="last")
    assert "fuzzy" in ALIGNMENT_STRATEGIES
    with pytest.raises(Conflict):
        register_alignment("fuzzy", ExactJoin)


@pytest.mark.parametrize(("name", "factory"), [("", ExactJoin), (3, ExactJoin), ("mine", "x")])
def test_what_is_no_offer_is_refused_when_it_is_made(name: object, factory: object) -> None:
    with pytest.raises(InvalidValue, match=r"is a word|is no factory"):
        register_alignment(name, factory)  # type: ignore[arg-type]
    assert name not in ALIGNMENT_STRATEGIES
