"""A target's digest moves with everything that moves its score, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelops_calabaria as cb
from modelops_calabaria.calibration.identity import target_digest
from modelops_contracts.errors import Conflict

DATA = {"day": [1, 2], "cases": [3.0, 4.0]}


def target(**changes: Any) -> Any:
    given: dict[str, Any] = {
        "name": "t",
        "model_output": "out",
        "data": DATA,
        "alignment": cb.ExactJoin("day"),
        "evaluator": cb.normal_loglik_per_rep("cases", sd=1.0),
        **changes,
    }
    return cb.LikelihoodTarget(**given)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "u"},
        {"model_output": "other"},
        {"data": {**DATA, "cases": [3.0, 4.5]}},
        {"data": {"day": [1, 2], "cases": [3, 4]}},
        {"alignment": cb.AsofJoin("day", tolerance=1)},
        {"alignment": cb.AsofJoin("day", tolerance=2)},
        {"evaluator": cb.normal_loglik_per_rep("cases", sd=2.0)},
        {"evaluator": cb.normal_loglik_per_rep("cases", sd=cb.Param("sd"))},
        {"evaluator": cb.poisson_loglik_per_rep("cases")},
        {"evaluator": cb.poisson_loglik_per_rep("cases", floor=0.1)},
        {"coverage": "zero"},
        {"weight": 2.0},
    ],
    ids=str,
)
def test_every_setting_counts(changes: dict[str, Any]) -> None:
    assert target_digest(target()) == target_digest(target())
    assert target_digest(target(**changes)) != target_digest(target())


def scored(sd: float) -> Any:
    def loglik(aligned: Any) -> Any:
        return np.full(2, -sd)

    return loglik


def test_what_an_authors_function_remembers_counts() -> None:
    one, same, other = (target(evaluator=scored(sd)) for sd in (1.0, 1.0, 2.0))
    assert target_digest(one) == target_digest(same)
    assert target_digest(one) != target_digest(other)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_identity import scored, target
from modelops_calabaria.calibration.identity import target_digest
print(target_digest(target()), target_digest(target(evaluator=scored(1.0))))
"""


def test_it_is_the_same_in_another_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    again = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PATH": ""},
    )
    assert done.stdout == again.stdout
    assert done.stdout.split()[0] == target_digest(target())


class Level(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])

    def build_sim(self, params: Any, config: Any) -> float:
        return float(params["x"])

    def run_sim(self, state: float, seed: int) -> float:
        return state

    @cb.model_output("out")
    def out(self, raw: float, seed: int) -> Any:
        import polars as pl

        return pl.DataFrame({"day": [1, 2], "cases": [raw, raw]})


def test_a_journal_of_another_noise_is_not_continued(tmp_path: Path) -> None:
    options: dict[str, Any] = {"engine": "random", "n_trials": 5, "journal": tmp_path}
    cb.calibrate(Level, [target()], **options)
    other = target(evaluator=cb.normal_loglik_per_rep("cases", sd=2.0))
    with pytest.raises(Conflict, match="digest was"):
        cb.calibrate(Level, [other], **options)
