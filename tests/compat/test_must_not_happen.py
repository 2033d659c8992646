"""What must not happen and no other test sees; and that every test of MUST_NOT_HAPPEN.md exists."""

from __future__ import annotations

import ast
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.calibration.algorithms.random import RandomEngine
from modelops_calabaria.calibration.loop import CalibrationFailed
from modelops_contracts import BundleRegistry, ModelEntry, ModelOpsError
from support.must_not_happen import TESTS, absent_tests, read_items
from support.toy_calibration import FunctionProvider, calibrate_plan, make_plan

SRC = TESTS.parent / "src"
XY = {"x": {"lower": 0.1, "upper": 1.0}, "y": {"lower": 0.1, "upper": 1.0}}


def functions(tree: ast.Module) -> set[str]:
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_of_the_table_exists() -> None:
    items = read_items(TESTS / "compat" / "MUST_NOT_HAPPEN.md")
    assert len(items) > 55
    parts = [what.split()[0] for what in items if what.split()[0].isdigit()]
    assert parts == [str(number) for number in range(1, 14)]
    assert absent_tests(items) == []


# -- requests --------------------------------------------------------------------------------------


class Line(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.1, 1.0), cb.ParameterSpec("y", 0.1, 1.0)])
    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("shift", 0.0)])

    def build_sim(self, params: Any, config: Any) -> float:
        return float(params["x"] + params["y"] + config["shift"])

    def run_sim(self, state: float, seed: int) -> float:
        return state + (seed % 1000) / 1e4

    @cb.model_output("out")
    def out(self, raw: float, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"metric": ["sum"], "value": [raw]})

    @cb.model_scenario("shifted")
    def shifted(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("shifted", config_patches={"shift": 0.5})


class Sometimes(Line):
    def run_sim(self, state: float, seed: int) -> float:
        return math.nan if state > 1.2 else state


SUM = cb.scalar_target("sum", "out", "sum", 1.0)


def fitted(**changes: Any) -> Any:
    options = {"engine": "tpe", "n_trials": 12, "n_replicates": 2, "seed": 1}
    return cb.calibrate(Line, [SUM], **{**options, **changes})


@pytest.fixture(scope="module")
def plain() -> Any:
    return fitted()


@pytest.mark.parametrize(
    "changes",
    [
        {"fixed": {"y": 0.3}},
        {"parameters": {"x": (0.1, 0.5), "y": (0.1, 1.0)}},
        {"parameters": {"x": (0.1, 1.0, "log"), "y": (0.1, 1.0)}},
        {"scenario": "shifted"},
        {"config": {"shift": 0.25}},
        {"engine": "cmaes"},
        {"engine": "random"},
        {"engine": "qmc"},
        {"engine": "grid"},
        {"n_trials": 11},
        {"n_replicates": 3},
        {"seed": 2},
        {"crn": "per-replicate-index"},
        {"weights": {"sum": 2.0}},
        {"rescore": {"top_k": 2, "n_replicates": 8, "confirm": 9}},
        {"stop": {"max_loss": 0.5}},
        {"stop": {"patience": 2}},
        {"stop": {"max_iterations": 1}},
    ],
    ids=str,
)
def test_every_setting_of_a_calibration_matters_or_is_refused(
    plain: Any, changes: dict[str, Any]
) -> None:
    other = fitted(**changes)
    assert other.spec != plain.spec, "the setting does not reach the file"
    columns = [c for c in plain.trials.columns if c != "seconds"]
    same_trials = plain.trials.select(columns).equals(other.trials.select(columns))
    same_end = plain.best.objective == other.best.objective
    assert not (same_trials and same_end), "the setting changed nothing"


def test_a_policy_for_likelihoods_is_refused_without_any() -> None:
    with pytest.raises(ModelOpsError, match="replicates"):
        fitted(replicates="mean_loglik")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ModelOpsError, match=r"tpe.*cmaes.*random.*qmc.*grid"):
        fitted(engine="tpee")


def test_a_seed_is_no_parameter() -> None:
    with pytest.raises(ModelOpsError, match="seed"):
        fitted(parameters={"x": (0.1, 1.0), "seed": (0, 100)})


# -- searching -------------------------------------------------------------------------------------


def test_a_search_without_any_finite_value_is_a_failure() -> None:
    plan = make_plan(XY, max_trials=15, sampler={"type": "random"})
    with pytest.raises(CalibrationFailed):
        calibrate_plan(plan, FunctionProvider(lambda _p, _s: -math.inf))


def test_a_nan_is_a_failed_trial() -> None:
    fit = cb.calibrate(Sometimes, [SUM], engine="tpe", n_trials=30, n_replicates=1, seed=1)
    reasons = fit.trials["reason"].value_counts()
    assert set(fit.trials["status"]) == {"completed", "failed"}
    assert "BAD_OUTPUT" in reasons["reason"].to_list()
    assert math.isfinite(fit.best.objective)


def test_the_loop_never_asks_again_without_news() -> None:
    """Between two answers an engine is asked once more at most."""

    class Counting(RandomEngine):
        asked = 0

        def ask(self, n: int) -> Any:
            self.asked += 1
            return super().ask(n)

    from modelops_calabaria.calibration.journal import MemoryJournal
    from modelops_calabaria.calibration.loop import run_calibration
    from modelops_contracts.ports import NullReporter

    plan = make_plan(XY, max_trials=40, batch_size=4, sampler={"type": "random"})
    engine = Counting(plan.space, seed=1)
    run_calibration(
        plan,
        engine,
        FunctionProvider(lambda p, _s: -p["x"]),
        MemoryJournal(),
        reporter=NullReporter(),
        clock=lambda: 0.0,
        should_stop=lambda: False,
    )
    assert engine.asked <= 40 + 4


def test_the_loop_does_as_much_for_late_trials_as_for_early_ones() -> None:
    def calls(trials: int) -> int:
        options = {"rescore": {"top_k": 1, "n_replicates": 2, "confirm": 2}}
        plan = make_plan(XY, max_trials=trials, sampler={"type": "random"}, **options)
        return count_calls(lambda: calibrate_plan(plan, FunctionProvider(lambda p, _s: -p["x"])))

    few, some, many = calls(100), calls(400), calls(700)
    assert many - some <= 1.1 * (some - few)


def count_calls(run: Callable[[], object]) -> int:
    """Python functions that are entered, and built-in ones that are called."""
    count = 0

    def watch(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


def test_no_report_shows_a_profile(tmp_path: Path) -> None:
    fit = fitted(n_trials=15)
    fit.report(tmp_path / "report.html")
    text = " ".join((tmp_path / "report.html").read_text(encoding="utf-8").lower().split())
    claims = re.findall(r"(.{0,12})profile likelihood", text)
    assert all("no " in before for before in claims), claims


# -- the public face -------------------------------------------------------------------------------


def python_files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


def test_no_test_of_the_science_patches_our_internals() -> None:
    folders = [
        TESTS / "unit" / "modelops_calabaria",
        TESTS / "unit" / "modelops_contracts",
        TESTS / "property" / "modelops_calabaria",
        TESTS / "property" / "modelops_contracts",
        TESTS / "integration" / "science",
        TESTS / "compat",
    ]
    # The interpreter may be made to fail; our own modules may not be changed.
    allowed = {"fcntl", "os", "sys", "time"}
    found = [
        f"{path.relative_to(TESTS)}:{node.lineno}"
        for path in python_files(*folders)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"monkeypatch.setattr", "mock.patch", "patch", "patch.object"}
        and not (node.args and ast.unparse(node.args[0]) in allowed)
    ]
    assert found == []


def test_no_two_classes_share_a_name() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for path in python_files(SRC / "modelops_calabaria", SRC / "modelops_contracts"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(path.relative_to(SRC).as_posix())
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_a_registry_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "registry.yaml"
    registry = BundleRegistry()
    registry.add_model("sir", "src/models/sir.py", "Sir", outputs=["inc"])
    registry.save(path)
    before = path.read_bytes()
    registry.models["bad"] = ModelEntry(
        entrypoint="m:M",
        path=Path("m.py"),
        class_name="M",
        outputs=[object()],  # type: ignore[list-item]
    )
    with pytest.raises(Exception):  # noqa: B017  whatever it is, the file is whole
        registry.save(path)
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["registry.yaml"]


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _target(data: object, **changes: Any) -> cb.LossTarget:
    return cb.LossTarget("t", "out", data, cb.ExactJoin("day"), cb.annealed_mse("cases"), **changes)


DAYS = {"day": [1, 2], "cases": [1, 2]}
MISTAKES: dict[str, Callable[[Path], object]] = {
    "a broken parquet as data": lambda d: _target(_write(d / "x.parquet", b"PAR1 no")),
    "a csv with ragged lines": lambda d: _target(_write(d / "x.csv", b"day,cases\n1,2,3,4\n")),
    "a csv that is empty": lambda d: _target(_write(d / "x.csv", b"")),
    "a csv that is not there": lambda d: _target(d / "x.csv"),
    "columns of unequal length": lambda d: _target({"day": [1], "cases": [1, 2]}),
    "text where numbers are compared": lambda d: _target(DAYS).evaluate(
        [{"out": pl.DataFrame({"day": [1, 2], "cases": ["a", "b"]})}]
    ),
    "an output without the key": lambda d: _target(DAYS).evaluate(
        [{"out": pl.DataFrame({"cases": [1, 2]})}]
    ),
    "lists where numbers are compared": lambda d: _target(DAYS).evaluate(
        [{"out": pl.DataFrame({"day": [1, 2], "cases": [[1], [2]]})}]
    ),
    "outputs that do not stack": lambda d: cb.LossTarget(
        "t", ["a", "b"], DAYS, cb.ExactJoin("day"), cb.annealed_mse("cases")
    ).evaluate([{"a": pl.DataFrame(DAYS), "b": pl.DataFrame({"day": ["x"], "cases": [1]})}]),
    "a design file that is none": lambda d: cb.FileSampler(
        Line.PARAMS, _write(d / "x.parquet", b"no")
    ).sample(),
    "a design of one column too many": lambda d: cb.run_study(Line, [{"x": 1, "y": 1, "z": 1}]),
    "a study of a model that is not there": lambda d: cb.run_study("no_such_module:Model", [{}]),
    "a result that is not there": lambda d: cb.CalibrationResult.load(d / "nothing"),
    "bounds the wrong way round": lambda d: fitted(parameters={"x": (1.0, 0.1)}, fixed={"y": 1.0}),
    "one parameter for cmaes": lambda d: fitted(fixed={"y": 0.5}, engine="cmaes"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_raise_our_errors(mistake: str, tmp_path: Path) -> None:
    with pytest.raises(ModelOpsError) as caught:
        MISTAKES[mistake](tmp_path)
    assert str(caught.value)
