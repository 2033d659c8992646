"""Models and targets that live where nobody can import them: in a function, in a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.calibration.remote import ServiceModel
from modelops_contracts import SimTask, UniqueParameterSet
from modelops_contracts.errors import Conflict, InvalidInput
from modelops_contracts.study import CalibrationSpec


def make_model(slope: float = 1.0) -> type[cb.BaseModel]:
    class Line(cb.BaseModel):
        PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0, default=0.5)])

        def build_sim(self, params: Any, config: Any) -> float:
            return slope * float(params["x"])

        def run_sim(self, state: float, seed: int) -> float:
            return state

        @cb.model_output("out")
        def out(self, raw: float, seed: int) -> pl.DataFrame:
            return pl.DataFrame({"metric": ["level"], "value": [raw]})

    return Line


LEVEL = cb.scalar_target("level", "out", "level", 0.25)


def test_a_class_inside_a_function_runs_and_is_calibrated() -> None:
    Line = make_model()
    study = cb.run_study(Line, [{"x": 0.2}, {"x": 0.4}], targets=[LEVEL])
    assert study.evaluations["objective"].to_list() == pytest.approx([0.0025, 0.0225])
    assert cb.check(Line, [LEVEL]) == []
    assert cb.evaluate(Line, [LEVEL], {"x": 0.25}).objective == 0
    fit = cb.calibrate(Line, [LEVEL], engine="qmc", n_trials=32, n_replicates=1)
    assert fit.best.params["x"] == pytest.approx(0.25, abs=0.05)
    assert CalibrationSpec.from_dict(fit.spec.to_dict()) == fit.spec
    assert cb.calibrate(Line(), [LEVEL], engine="qmc", n_trials=4, n_replicates=1).best


def test_a_target_inside_a_function_is_used_as_it_is() -> None:
    @cb.calibration_target(model_output="out", name="inside")
    def inside() -> Any:
        return cb.scalar_target("inside", "out", "level", 0.5)

    assert cb.evaluate(make_model(), [inside], {"x": 0.5}).objective == 0


def test_a_journal_tells_one_version_of_such_a_class_from_the_next(tmp_path: Path) -> None:
    options: dict[str, Any] = {"engine": "random", "n_trials": 4, "journal": tmp_path}
    first = cb.calibrate(make_model(), [LEVEL], **options)
    again = cb.calibrate(make_model(), [LEVEL], **options)
    assert again.best.objective == first.best.objective
    with pytest.raises(Conflict, match="model: was"):
        cb.calibrate(make_model(2.0), [LEVEL], **options)


class Elsewhere:
    """A SimulationService that is never reached."""

    def submit(self, task: Any) -> Any: ...

    def gather(self, futures: Any) -> Any: ...

    def submit_batch(self, tasks: Any) -> Any: ...

    def submit_replicate_set(self, replicate_set: Any, target_entrypoint: Any = None) -> Any: ...

    def submit_batch_with_aggregation(self, replicate_sets: Any, target_entrypoint: Any) -> Any: ...

    def submit_evaluation(self, request: Any) -> Any: ...


def test_a_service_refuses_it_and_says_why() -> None:
    with pytest.raises(InvalidInput, match="defined inside a function") as caught:
        cb.run_study(make_model(), [{"x": 0.2}], service=Elsewhere())  # type: ignore[arg-type]
    assert "module" in (caught.value.hint or "")


class Contacts(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])
    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("contacts", np.eye(2)), cb.ConfigSpec("n", 3)])

    def build_sim(self, params: Any, config: Any) -> None: ...

    def run_sim(self, state: None, seed: int) -> None: ...


@pytest.mark.parametrize(
    ("model", "config", "told"),
    [
        (Contacts(), None, None),
        (Contacts(), {"n": 4}, {"n": 4}),
        (Contacts(base_config={"n": 5}), None, {"n": 5}),
    ],
)
def test_a_service_is_told_of_changed_settings_only(model: Any, config: Any, told: Any) -> None:
    """An array among the defaults cannot travel in a task, and need not."""
    tasks: list[SimTask] = []

    class Listening(Elsewhere):
        def submit_batch(self, batch: Any) -> Any:
            tasks.extend(batch)
            return batch

    remote = ServiceModel(Listening(), model, "baseline", config)  # type: ignore[arg-type]
    remote.prefetch(UniqueParameterSet.from_dict({"x": 0.5}), [1])
    assert tasks[0].config == told
    assert tasks[0].task_id()
