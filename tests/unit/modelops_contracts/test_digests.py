"""Ids and seeds, digit by digit: whatever stores them must find them again."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
from types import MappingProxyType

import pytest

from modelops_contracts.digests import (
    agg_key,
    aggregation_id,
    aggregation_task_id,
    bundle12,
    canonical_json,
    canonical_task_id,
    common_replicate_seed,
    common_study_seed,
    confirm_seed,
    digest_bytes,
    environment_digest,
    file_sha256,
    make_param_id,
    replicate_seed,
    rescore_seed,
    scenario_digest,
    sim_key,
    study_seed,
    trial_seed,
)
from modelops_contracts.errors import ContractViolationError
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import AggregationTask, SimReturn, SimTask, TableArtifact

REF = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "02a98351d516148f91f93bb0ce4b4cb6468cb40e04263fb6f257e9ba37365b44"),
        ({"x": 1}, "4560ff738e380536d589079a5e24b30713f9257440dfb2f0134f7350c0985942"),
        ({"x": 1.0}, "3f1b615cf1dab4bfd2505c195f18fe8d70035f80beb5b0056c93844204158684"),
        ({"x": 1e-07}, "adbf9eb5c4904a62f82c73e42db7e6237d69224bed96952a2832601602c69fa3"),
        (
            {"beta": 0.3, "gamma": 0.1},
            "761edf35ca1634d79a760bfa7030cf07e72a3559b3cdb0c56d20557de35b1e07",
        ),
        ({"é": 1.5}, "7faf4dae98b273ddc2dcec9940a32de33e998b34b5fb9e25b146f3e8a199e458"),
    ],
)
def test_param_id_vectors(params: dict[str, object], expected: str) -> None:
    assert make_param_id(params) == expected
    assert make_param_id(MappingProxyType(params)) == expected


def test_param_id_is_raw() -> None:
    ids = {make_param_id({"x": value}) for value in (1, 1.0, True, "1", -0.0, 0.0)}
    assert len(ids) == 6


def test_digest_bytes_vector() -> None:
    expected = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"
    assert digest_bytes(b"abc") == expected


def task(**changes: object) -> SimTask:
    fields: dict[str, object] = {
        "bundle_ref": REF,
        "entrypoint": "models.sir.SIR/baseline",
        "params": UniqueParameterSet.from_dict({"beta": 0.3, "gamma": 0.1}),
        "seed": 42,
        **changes,
    }
    return SimTask(**fields)  # type: ignore[arg-type]


def test_task_id_vector() -> None:
    assert canonical_task_id(task()) == "b93a2e5f03f66b3eeb1be47611ccf7d6"
    assert task().task_id() == "b93a2e5f03f66b3eeb1be47611ccf7d6"


def test_task_id_with_extras_is_the_second_formula() -> None:
    from hashlib import blake2b

    given = task(outputs=("b", "a"), config={"k": 1})
    text = (
        f"sim:v2|{REF}|models.sir.SIR/baseline|{given.params.param_id}|42|"
        '{"config":{"k":1},"env":null,"outputs":["a","b"]}'
    )
    assert canonical_task_id(given) == blake2b(text.encode(), digest_size=16).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"bundle_ref": "repo@" + REF},
        {"entrypoint": "models.sir.SIR/other"},
        {"params": UniqueParameterSet.from_dict({"beta": 0.3, "gamma": 0.2})},
        {"seed": 43},
        {"outputs": ("a",)},
        {"outputs": ("b",)},
        {"config": {"k": 1}},
        {"config": {}},
        {"env": {"k": 1}},
    ],
)
def test_tasks_that_differ_in_a_field_have_different_ids(change: dict[str, object]) -> None:
    assert canonical_task_id(task(**change)) != canonical_task_id(task())


def test_aggregation_ids() -> None:
    assert aggregation_id("t.m:f", ["t2", "t1"]) == "62ffc1d6aa6eb08c"
    assert aggregation_task_id("t.m:f", ["t2", "t1"]) == "de8b004e9f09565a"


def test_aggregation_task_writes_the_newer_id() -> None:
    table = TableArtifact.of(b"x")
    returns = tuple(SimReturn(task_id=name, outputs={"o": table}) for name in ("t2", "t1"))
    aggregation = AggregationTask(bundle_ref=REF, target_entrypoint="t.m:f", sim_returns=returns)
    assert aggregation.aggregation_id() == "de8b004e9f09565a"


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("sha256:" + "0123456789abcdef" * 4, "0123456789ab"),
        ("host:5000/repo@sha256:" + "f" * 64, "f" * 12),
        ("plainreference", "plainreferen"),
        ("repo@deadbeef", "deadbeef"),
    ],
)
def test_bundle12(ref: str, expected: str) -> None:
    assert bundle12(ref) == expected


def test_study_seeds() -> None:
    param_id = make_param_id({"x": 1.0})
    seeds = [study_seed(param_id, i) for i in range(4)]
    assert seeds == [66968601, 378167024, 2558640354, 3768992433]


def test_calibration_seeds() -> None:
    assert trial_seed("abc123", 42) == 183415352
    seeds = [replicate_seed("abc123", 42, i) for i in range(3)]
    assert seeds == [2068545870, 1805355463, 1722438088]


def test_every_family_of_seeds_is_its_own() -> None:
    families = [
        [study_seed("p", i) for i in range(50)],
        [common_study_seed(42, i) for i in range(50)],
        [replicate_seed("p", 42, i) for i in range(50)],
        [common_replicate_seed(42, i) for i in range(50)],
        [rescore_seed(42, i) for i in range(50)],
        [confirm_seed(42, i) for i in range(50)],
    ]
    assert len({seed for family in families for seed in family}) == 300
    assert all(0 <= seed < 2**32 for family in families[:2] for seed in family)
    assert all(0 <= seed < 2**31 for family in families[2:] for seed in family)


def test_scenario_vectors() -> None:
    plain = scenario_digest(
        name="test",
        param_patches={},
        config_patches={},
        conflict_policy="lww",
        allow_overlap=None,
    )
    assert plain == "97936c7c81ad1a31"
    strict = scenario_digest(
        name="s",
        param_patches={"b": 1, "a": 2.5},
        config_patches={},
        conflict_policy="strict",
        allow_overlap=("b", "a"),
    )
    assert strict == "e4dbe2f106ba12fd"


def test_scenario_config_counts_by_its_text() -> None:
    from datetime import date

    def digest(value: object) -> str:
        return scenario_digest(
            name="s",
            param_patches={},
            config_patches={"start": value, "nested": {"list": [1, 2.5]}},
            conflict_policy="lww",
            allow_overlap=None,
        )

    assert digest(date(2020, 1, 2)) == digest("2020-01-02") != digest("2020-01-03")


def test_environment_vector() -> None:
    digest = environment_digest(
        python="3.13.0",
        platform="linux-x86_64",
        dependencies={"b": "2", "a": "1"},
        container=None,
        cuda=None,
        rng="PCG64",
        threads=1,
    )
    assert digest == "c656cca75be5519a03a1d6b5b219568caefc0b511fcb06c5ce8e93cf0a8ca687"


class Colour(str, enum.Enum):  # noqa: UP042  (a text subclass whose str() is not its value)
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None, 0.1, 1e-07, 1e22]}, '{"a":[true,null,0.1,1e-07,1e+22],"b":1}'),
        ({"ü": "é", "z": "\u2028"}, '{"z":"\u2028","ü":"é"}'),
        ((1, (2, 3)), "[1,[2,3]]"),
        ({2: "b", 10: "a"}, '{"10":"a","2":"b"}'),
        ({"c": Colour.RED, "l": Level.HIGH}, '{"c":"red","l":3}'),
        ({Colour.RED: 1}, '{"red":1}'),
        (-0.0, "-0.0"),
        ({"e\u0301": 1, "é": 2}, '{"e\u0301":1,"é":2}'),
    ],
)
def test_canonical_json(value: object, expected: str) -> None:
    assert canonical_json(value) == expected.encode()


def test_numpy_floats_are_floats() -> None:
    import numpy as np

    assert canonical_json({"x": np.float64(0.1)}) == b'{"x":0.1}'


@pytest.mark.parametrize(
    "value",
    [
        {"x": float("nan")},
        {"x": [float("inf")]},
        {"x": {1, 2}},
        {"x": b"bytes"},
        {"x": object()},
        {1: "a", "b": 2},
        {True: 1},
        {None: 1},
        {1.5: 1},
        {"x": "\ud800"},
    ],
)
def test_canonical_json_refuses(value: object) -> None:
    with pytest.raises(ContractViolationError):
        canonical_json(value)


def test_canonical_json_refuses_what_contains_itself() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ContractViolationError):
        canonical_json(loop)


def test_canonical_json_names_the_place() -> None:
    with pytest.raises(ContractViolationError, match=r"\$\.a\[1\]\.b: set"):
        canonical_json({"a": [1, {"b": set()}]})


def key(**changes: object) -> str:
    fields: dict[str, object] = {
        "code": "c1",
        "entrypoint": "m:M",
        "scenario": "baseline",
        "config": None,
        "params": {"x": 1.0, "n": 2},
        "seed": 1,
        "outputs": None,
        "env": "e1",
        **changes,
    }
    return sim_key(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"code": "c2"},
        {"entrypoint": "m:N"},
        {"scenario": "other"},
        {"config": {"a": 1}},
        {"params": {"x": 1.0, "n": 3}},
        {"seed": 2},
        {"outputs": ("a",)},
        {"env": "e2"},
        {"wire": 2},
    ],
)
def test_whatever_can_change_a_result_changes_the_key(change: dict[str, object]) -> None:
    assert key(**change) != key()


def test_equal_meaning_gives_the_equal_key() -> None:
    assert key(config={}) == key()
    assert key(params={"n": 2, "x": 1.0}) == key()
    assert key(outputs=("b", "a", "b")) == key(outputs=["a", "b"])
    assert len(key()) == 64


def test_evaluation_key() -> None:
    def evaluation(**changes: object) -> str:
        fields: dict[str, object] = {
            "target": "t",
            "policy": {"replicates": "logmeanexp"},
            "weights": {"t": 1.0},
            "sim_keys": ["k2", "k1"],
            **changes,
        }
        return agg_key(**fields)  # type: ignore[arg-type]

    assert evaluation() == evaluation(sim_keys=["k1", "k2"])
    changes: list[dict[str, object]] = [
        {"target": "u"},
        {"policy": {"replicates": "mean"}},
        {"weights": {"t": 2.0}},
        {"sim_keys": ["k1"]},
    ]
    assert len({evaluation(), *(evaluation(**change) for change in changes)}) == 5


def test_file_digest(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "f"
    path.write_bytes(b"abc")
    expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == expected


def test_ids_do_not_depend_on_the_process() -> None:
    script = (
        "from modelops_contracts.digests import *\n"
        "params = {'b': 0.1, 'a': 2, 'ü': 'x'}\n"
        "print(make_param_id(params), sim_key(code='c', entrypoint='m:M', scenario='s',"
        " config={'z': 1, 'y': [1]}, params=params, seed=3, outputs=('o', 'n'), env='e'))\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(found) == 1
    assert json.dumps(found.pop()).count(" ") == 1
