"""Reports: both formats of everything that can happen, self-contained, whole or not at all."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.calibration.loop import CalibrationFailed
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_calabaria.diagnostics.report import write_report
from modelops_contracts.errors import InvalidInput, NotFound
from support.toy_calibration import FunctionProvider, calibrate_plan, make_plan, predictive_table

SPACE = {
    "a": {"lower": 0.01, "upper": 1.0, "transform": "log"},
    "b": {"lower": 0.0, "upper": 1.0},
    "n": {"lower": 1, "upper": 9, "kind": "int"},
}


def loglik(params: Mapping[str, Any], seed: int) -> float:
    if params["b"] > 0.9:
        raise ArithmeticError("population <died> out & more")
    noise = np.random.default_rng(seed).normal(0, 0.3)
    return float(-9 * (params["a"] - 0.4) ** 2 - 9 * (params["b"] - 0.6) ** 2 + noise)


def scalars(_label: str, draws: Any, *, seed: int) -> dict[str, bytes]:
    frame = pl.DataFrame(
        {
            "metric": ["peak day", "peak height", "attack rate"],
            "observed": [6.0, 298.0, 0.67],
            "q025": [5.0, 200.0, 0.5],
            "q500": [6.0, 250.0, 0.6],
            "q975": [7.0, 290.0, 0.8],
            "inside": [True, False, True],
            "n_members": [200, 200, 200],
        }
    )
    buffer = BytesIO()
    frame.write_ipc(buffer)
    curve = np.array([3, 8, 26, 76, 225, 298, 258], dtype=float)
    curves = [curve * (1 + 0.02 * i) for i in range(len(draws) % 40 + 2)]
    return {"cases": predictive_table(curves, curve, seed), "scalars": buffer.getvalue()}


@pytest.fixture(scope="module")
def result() -> CalibrationResult:
    plan = make_plan(SPACE, max_trials=60, n_replicates=4)
    return calibrate_plan(
        plan, FunctionProvider(loglik, predictor=scalars), job_id="calib-12345678"
    )


@pytest.fixture(scope="module")
def saved(result: CalibrationResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.save(tmp_path_factory.mktemp("job") / "result")


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def read_page(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


def test_all_files_of_a_result_are_there(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {
        "summary.json", "result.json", "findings.json", "trials.parquet", "candidates.parquet",
        "fit.parquet", "prior_fit.parquet", "plausible_fit.parquet", "report.html", "report.pdf",
    }  # fmt: skip


def test_a_saved_result_loads_as_it_was(saved: Path, result: CalibrationResult) -> None:
    again = CalibrationResult.load(saved)
    assert again.best.objective == result.best.objective
    assert again.best.seeds == result.best.seeds
    assert again.trials.equals(result.trials)
    assert again.as_dict() == result.as_dict()
    assert [f.code for f in again.findings] == [f.code for f in result.findings]
    assert again.spec.to_dict() == result.spec.to_dict()


def test_the_html_says_everything_and_needs_nothing(saved: Path, result: CalibrationResult) -> None:
    source = (saved / "report.html").read_text("utf-8")
    page = Page(source)
    for words in ("Verdict", "Estimates", "Search history", "Each parameter against", "Pairs of",
                  "Data against", "What each target", "simulated again", "Failures", "Settings",
                  "plausible set", "fingerprint", result.fingerprint, "FAILED_TRIALS",
                  "population <died> out & more", "±"):  # fmt: skip
        assert words in page.text, words
    assert not re.search(r'(src|href)="(?!data:|#)', source)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(image["alt"] and len(image["alt"]) > 20 for image in page.images)
    assert len(page.images) >= 5
    assert "@media print" in source
    assert len(source) < 5_000_000


def test_the_report_never_calls_the_search_minimum_the_result(
    saved: Path, result: CalibrationResult
) -> None:
    text = read_page(saved / "report.html").text
    se = result.best.objective_se
    assert f"± {se:.2f}" in text or f"± {se:.3f}" in text
    assert "optimistic under noise" in text or "too good" in text
    assert "not a posterior" in text


def test_the_pdf_is_one(saved: Path) -> None:
    data = (saved / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert data.count(b"/Type /Page ") >= 3


def test_reports_are_reproducible(saved: Path, tmp_path: Path) -> None:
    for kind in ("html", "pdf"):
        again = write_report(saved, tmp_path / f"again.{kind}", format=kind)
        assert again.read_bytes() == (saved / f"report.{kind}").read_bytes()


def test_a_job_directory_is_understood(saved: Path, tmp_path: Path) -> None:
    page = read_page(write_report(saved.parent, tmp_path / "r.html", format="html"))
    assert "Calibration report: toy" in page.text


def test_a_failed_calibration_has_a_report_of_its_failures(tmp_path: Path) -> None:
    def broken(_params: Mapping[str, Any], _seed: int) -> float:
        raise ArithmeticError("no such file")

    with pytest.raises(CalibrationFailed) as caught:
        calibrate_plan(make_plan(SPACE), FunctionProvider(broken))
    folder = caught.value.result.save(tmp_path / "result")
    text = read_page(folder / "report.html").text
    assert "There is no result" in text
    assert "no such file" in text
    assert CalibrationResult.load(folder).failure


def test_an_ensemble_that_cannot_be_drawn_costs_a_picture_only(tmp_path: Path) -> None:
    def refuses(label: str, draws: Any, *, seed: int) -> Mapping[str, bytes]:
        if label == "prior":
            raise InvalidInput("every prior draw failed")
        return scalars(label, draws, seed=seed)

    plan = make_plan(SPACE, max_trials=20)
    result = calibrate_plan(plan, FunctionProvider(loglik, predictor=refuses))
    assert result.prior_fit is None
    assert result.fit is not None
    text = read_page(result.report(tmp_path / "r.html")).text
    assert "every prior draw failed" in text


def test_other_endings_are_refused(result: CalibrationResult, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\.html or \.pdf"):
        result.report(tmp_path / "report.docx")


def test_a_study_of_the_best_candidates(result: CalibrationResult) -> None:
    study = result.to_study(5, top=2)
    assert study.parameter_count() == 2
    assert dict(study.parameter_sets[0].params) == dict(result.best.params)
    assert study.metadata["calibration"]["fingerprint"] == result.fingerprint


# ---------------------------------------------------------------- tables of trials

FULL = {"loss": [3.0, 1.0, 2.0, 5.0, 4.0, 6.0], "param_a": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "param_b": [1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0]}  # fmt: skip
TABLES = {
    "full": FULL,
    "one parameter": {k: FULL[k] for k in ("loss", "param_a")},
    "one row": {k: v[:1] for k, v in FULL.items()},
    "nan, inf and null": {**FULL, "loss": [1.0, float("nan"), float("inf"), None, 2.0, 3.0]},
    "constant": {**FULL, "param_b": [2.0] * 6},
    "all constant": {"loss": FULL["loss"], "param_a": [2.0] * 6},
    "only failed": {**FULL, "loss": [None, float("nan"), float("inf"), None, None, None]},
    "null parameters": {**FULL, "param_a": [None, 1.0, 2.0, None, 3.0, 4.0]},
    "null column": {**FULL, "param_b": [None] * 6},
    "integers": {**FULL, "param_n": [1, 2, 3, 4, 5, 6], "extra": list("abcdef")},
    "equal losses": {**FULL, "loss": [1.0] * 6},
    "text parameter": {**FULL, "param_b": list("abcdef")},
    "penalties": {**FULL, "loss": [sys.float_info.max] * 4 + [1.0, -sys.float_info.max]},
    "huge parameters": {**FULL, "param_a": [1e308, -1e308, 0.0, 1.0, 2.0, 3.0]},
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", list(TABLES))
def test_any_table_of_trials_has_a_report(name: str, suffix: str, tmp_path: Path) -> None:
    table = pl.DataFrame(TABLES[name], strict=False)
    source = tmp_path / f"trials.{suffix}"
    getattr(table, f"write_{suffix}")(source)
    page = read_page(write_report(source, tmp_path / "r.html", format="html"))
    assert "Trials report" in page.text
    nothing = name in {"null column", "text parameter"}
    assert ("Not shown, for want of numbers: b." in page.text) == nothing
    n_failed = sum(1 for x in TABLES[name]["loss"] if x is None or not np.isfinite(x))
    if n_failed:
        assert f"{n_failed} of {table.height} trials have no finite objective" in page.text
    if suffix == "csv":
        assert write_report(source, tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"loss": [], "param_a": []}, "has no rows"),
        ({"param_a": [1.0]}, "no column 'loss'"),
        ({"loss": [1.0], "a": [1.0]}, "no column 'param_<name>'"),
        ({"loss": ["1,5", "2,5"], "param_a": [1.0, 2.0]}, "holds text such as '1,5' in 2 rows"),
    ],
)
def test_unusable_tables_leave_no_file(
    columns: dict[str, list[float]], message: str, tmp_path: Path
) -> None:
    source, output = tmp_path / "t.csv", tmp_path / "r.pdf"
    pl.DataFrame(columns).write_csv(source)
    with pytest.raises(InvalidInput, match=message):
        write_report(source, output)
    assert not output.exists()


def test_missing_and_strange_sources(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        write_report(tmp_path / "nothing.csv", tmp_path / "r.pdf")
    (tmp_path / "x.txt").write_text("loss")
    with pytest.raises(InvalidInput, match=r"\.parquet or \.csv"):
        write_report(tmp_path / "x.txt", tmp_path / "r.pdf")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InvalidInput, match="no rows"):
        write_report(tmp_path / "empty.csv", tmp_path / "r.pdf")
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(InvalidInput, match="cannot be read"):
        write_report(tmp_path / "bad.parquet", tmp_path / "r.pdf")
    with pytest.raises(InvalidInput, match="no calibration result"):
        write_report(tmp_path, tmp_path / "r.pdf")


def test_options_are_checked(tmp_path: Path) -> None:
    pl.DataFrame(FULL).write_csv(tmp_path / "t.csv")
    with pytest.raises(InvalidInput, match="format must be one of html, pdf"):
        write_report(tmp_path / "t.csv", tmp_path / "r", format="docx")
    with pytest.raises(InvalidInput, match="threshold must lie between 0 and 1"):
        write_report(tmp_path / "t.csv", tmp_path / "r", threshold=2.0)
    high = read_page(write_report(tmp_path / "t.csv", tmp_path / "r.html", format="html",
                                  threshold=1.0))  # fmt: skip
    assert "identifiability 1 or more: there are no pairs" in high.text
