"""What is written is read back, by JSON and by pickle."""

from __future__ import annotations

import json
import math
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.entrypoint import (
    format_entrypoint,
    is_scenario_slug,
    nearest_slug,
    parse_entrypoint,
)
from modelops_contracts.evaluation import Evaluation, ReplicateFailure, TargetScore
from modelops_contracts.models import ModelDescription
from modelops_contracts.study import SimulationStudy, load_spec, write_spec

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = st.text(st.characters(categories=["Ll", "Lu"]), min_size=1, max_size=6)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(st.booleans(), st.integers(), FINITE, TEXT)
SEEDS = st.integers(0, 2**64 - 1)
VALUES = st.floats(allow_nan=False)

SCORES = st.builds(
    TargetScore,
    target=NAME,
    kind=st.sampled_from(["loss", "loglik"]),
    value=VALUES,
    weight=st.floats(0, 10),
    per_replicate=st.lists(VALUES, max_size=3).map(tuple),
    n_observed=st.integers(0, 9),
    n_used=st.integers(0, 9),
    n_imputed=st.integers(0, 9),
    flags=st.lists(NAME, max_size=2).map(tuple),
)
FAILURES = st.builds(
    ReplicateFailure,
    index=st.integers(0, 9),
    seed=SEEDS,
    error=st.builds(ErrorInfo, error_type=NAME, message=TEXT, retryable=st.booleans()),
    traceback=TEXT,
)
EVALUATIONS = st.builds(
    Evaluation,
    param_id=NAME,
    seeds=st.lists(SEEDS, max_size=3).map(tuple),
    objective=VALUES,
    objective_se=VALUES,
    kind=st.sampled_from(["loss", "loglik"]),
    ess=VALUES,
    scores=st.lists(SCORES, max_size=2).map(tuple),
    failures=st.lists(FAILURES, max_size=2).map(tuple),
    flags=st.lists(NAME, max_size=2).map(tuple),
    reason=st.none() | NAME,
)


@given(EVALUATIONS)
def test_evaluations(evaluation: Evaluation) -> None:
    text = json.dumps(evaluation.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(text)) == evaluation
    assert pickle.loads(pickle.dumps(evaluation)) == evaluation
    assert math.isfinite(evaluation.objective) or '"objective": "' in text


ENTRIES = st.one_of(
    st.dictionaries(NAME, SCALARS, max_size=3).map(lambda params: {"params": params}),
    st.builds(
        lambda params, seed: {"params": params, "seed": seed},
        st.dictionaries(st.sampled_from(["params", "seed", "x"]), SCALARS, max_size=3),
        SEEDS,
    ),
)
STUDIES = st.builds(
    lambda **fields: SimulationStudy.from_dict(fields),
    model=NAME,
    scenario=st.sampled_from(["baseline", "lock-down"]),
    parameter_sets=st.lists(ENTRIES, max_size=4),
    sampling_method=NAME,
    n_replicates=st.integers(1, 5),
    outputs=st.none() | st.lists(NAME, max_size=2),
    targets=st.none() | st.just(["targets:f"]),
    metadata=st.dictionaries(
        NAME.filter(lambda name: name not in {"crn", "config"}), SCALARS, max_size=2
    ),
)


@given(STUDIES)
def test_studies(study: SimulationStudy) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "study.json"
        write_spec(study, path)
        assert load_spec(path) == study
    assert pickle.loads(pickle.dumps(study)) == study


@given(STUDIES)
def test_counts_are_what_runs(study: SimulationStudy) -> None:
    named = replace(study, model=f"models.{study.model}")
    tasks = named.tasks("sha256:" + "a" * 64)
    assert len(tasks) == study.total_simulation_count()
    written = [entry.seed for entry in study.parameter_sets if entry.seed is not None]
    assert Counter(written) <= Counter(task.seed for task in tasks)


@given(
    st.lists(NAME, min_size=2, max_size=4).map(".".join),
    st.from_regex(r"[a-z0-9]([a-z0-9\-_.]{0,10}[a-z0-9])?", fullmatch=True),
)
def test_entrypoints(path: str, scenario: str) -> None:
    assert parse_entrypoint(format_entrypoint(path, scenario)) == (path, scenario)


@given(st.text(max_size=100))
def test_every_name_has_a_legal_slug_near_it(name: str) -> None:
    assert is_scenario_slug(nearest_slug(name))


@given(
    st.lists(st.fixed_dictionaries({"name": NAME, "lower": FINITE, "upper": FINITE}), max_size=3),
    st.dictionaries(NAME, TEXT, max_size=2),
)
def test_model_descriptions(parameters: list[dict[str, Any]], config: dict[str, str]) -> None:
    description = ModelDescription("m:M", "digest", tuple(parameters), config=config)
    text = json.dumps(description.to_json(), allow_nan=False)
    assert ModelDescription.from_json(json.loads(text)) == description
