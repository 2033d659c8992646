"""Study files and what becomes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelops_contracts.digests import make_param_id, study_seed
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.study import (
    CalibrationSpec,
    ParameterSetEntry,
    SimulationStudy,
    load_spec,
    write_spec,
)

REF = "sha256:" + "a" * 64


def content(**changes: Any) -> dict[str, Any]:
    return {
        "model": "models.sir",
        "scenario": "baseline",
        "parameter_sets": [
            {"params": {"beta": 0.4879265269264579, "n0": 8}},
            {"params": {"beta": 0.8828321818262339, "n0": 5}, "seed": 7},
        ],
        "sampling_method": "sobol",
        "n_replicates": 2,
        "outputs": None,
        "metadata": {
            "model_class": "models.sir:Sir",
            "design": {"kind": "sobol", "seed": 42, "start": 0, "n": 2},
            "n_samples": 2,
        },
        **changes,
    }


def study(**changes: Any) -> SimulationStudy:
    return SimulationStudy.from_dict(content(**changes))


class TestReading:
    def test_round_trip_keeps_content_and_order(self) -> None:
        for given in (content(), content(targets=["targets.incidence:weekly"])):
            back = SimulationStudy.from_dict(given).to_dict()
            assert back == given
            assert SimulationStudy.from_dict(back) == SimulationStudy.from_dict(given)
        assert list(study().to_dict()) == list(content())

    def test_defaults(self) -> None:
        given = {"model": "m", "scenario": "baseline", "parameter_sets": []}
        read = SimulationStudy.from_dict(given)
        assert (read.sampling_method, read.n_replicates, read.metadata) == ("manual", 1, {})
        assert (read.outputs, read.targets) == (None, None)

    def test_old_and_new_items_mix(self) -> None:
        rows = study(
            parameter_sets=[{"x": 1.0}, {"params": {"x": 2.0}, "seed": 3}, {"params": {"x": 4.0}}]
        ).parameter_sets
        assert [(dict(row.params), row.seed) for row in rows] == [
            ({"x": 1.0}, None),
            ({"x": 2.0}, 3),
            ({"x": 4.0}, None),
        ]

    def test_parameters_called_params_and_seed_are_safe(self) -> None:
        rows = study(parameter_sets=[{"params": 2.0, "seed": 3}, {"params": {"params": 1.0}}])
        assert [dict(row.params) for row in rows.parameter_sets] == [
            {"params": 2.0, "seed": 3},
            {"params": 1.0},
        ]

    def test_all_mistakes_at_once(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            SimulationStudy.from_dict(
                {
                    "scenario": "Base Line",
                    "parameter_sets": [{"x": [1]}, {"params": {"y": float("nan")}, "seed": -1}, 3],
                    "n_replicats": 3,
                    "n_replicates": 0,
                    "outputs": "inc",
                    "targets": ["no-entrypoint"],
                    "metadata": {"crn": "per-replicate", "base_seed": -2, "config": 3},
                }
            )
        found = {detail.path: detail.message for detail in caught.value.details}
        assert set(found) == {
            "$.model",
            "$.scenario",
            "$.parameter_sets[0].x",
            "$.parameter_sets[1].params.y",
            "$.parameter_sets[1].seed",
            "$.parameter_sets[2]",
            "$.n_replicats",
            "$.n_replicates",
            "$.outputs",
            "$.targets[0]",
            "$.metadata.crn",
            "$.metadata.base_seed",
            "$.metadata.config",
        }
        assert "did you mean 'n_replicates'" in found["$.n_replicats"]
        assert "did you mean 'per-replicate-index'" in found["$.metadata.crn"]
        assert "'base-line'" in found["$.scenario"]
        assert all(path in str(caught.value) for path in found)

    @pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1", True])
    def test_seeds_are_uint64(self, seed: Any) -> None:
        with pytest.raises(ValueError, match="seed must be int in uint64 range"):
            ParameterSetEntry({"x": 1}, seed)

    def test_values_are_scalars(self) -> None:
        with pytest.raises(ValueError, match=r"\$\.params\.x"):
            ParameterSetEntry({"x": [1]})  # type: ignore[dict-item]

    def test_metadata_is_free(self) -> None:
        assert study(metadata={"anything": [1, {"a": None}]}).metadata["anything"] == [
            1,
            {"a": None},
        ]


class TestTasks:
    def test_counts(self) -> None:
        assert study().parameter_count() == 2
        assert study().total_simulation_count() == 3
        assert len(study().to_simjob(REF).tasks) == 3

    def test_seeds_run_are_the_ones_written_or_the_formula(self) -> None:
        param_id = make_param_id({"beta": 0.4879265269264579, "n0": 8})
        seeds = [task.seed for task in study().tasks(REF)]
        assert seeds == [study_seed(param_id, 0), study_seed(param_id, 1), 7]

    def test_vector(self) -> None:
        tasks = study(parameter_sets=[{"x": 1.0}], n_replicates=4).tasks(REF)
        assert [task.seed for task in tasks] == [66968601, 378167024, 2558640354, 3768992433]

    def test_common_random_numbers(self) -> None:
        def seeds(**metadata: Any) -> list[list[int]]:
            read = study(
                parameter_sets=[{"x": 1.0}, {"x": 2.0}],
                metadata={"crn": "per-replicate-index", **metadata},
            )
            found = [task.seed for task in read.tasks(REF)]
            return [found[:2], found[2:]]

        one, two = seeds()
        assert one == two
        assert len(set(one)) == 2
        assert seeds(base_seed=42)[0] == one
        assert seeds(base_seed=43)[0] != one

    def test_an_unknown_kind_of_common_numbers_never_runs(self) -> None:
        made = SimulationStudy("m.M", "baseline", (), metadata={"crn": "yes"})
        with pytest.raises(InvalidInput, match="per-replicate-index"):
            made.to_simjob(REF)

    def test_config_and_outputs_reach_the_task(self) -> None:
        read = study(outputs=["b", "a"], metadata={"model_class": "m.M", "config": {"k": 1}})
        task = read.tasks(REF)[0]
        assert (task.outputs, task.config) == (("a", "b"), {"k": 1})
        assert study(metadata={"model_class": "m.M", "config": {}}).tasks(REF)[0].config is None

    @pytest.mark.parametrize(
        ("model_class", "entrypoint"),
        [
            ("models.sir:Sir", "models.sir.Sir/baseline"),
            ("models.sir.Sir", "models.sir.Sir/baseline"),
            ("./src/models/sir.py:Sir", "models.sir.Sir/baseline"),
            ("src/models/sir.py:Sir", "models.sir.Sir/baseline"),
            ("src\\models\\sir.py:Sir", "models.sir.Sir/baseline"),
            ("sir.py:Sir", "sir.Sir/baseline"),
            ("src/src/sir.py:Sir", "src.sir.Sir/baseline"),
            (None, "models.sir/baseline"),
        ],
    )
    def test_import_path(self, model_class: str | None, entrypoint: str) -> None:
        metadata = {} if model_class is None else {"model_class": model_class}
        assert study(metadata=metadata).tasks(REF)[0].entrypoint == entrypoint

    @pytest.mark.parametrize("path", ["/home/me/sir.py:Sir", "C:\\me\\sir.py:Sir"])
    def test_an_absolute_file_is_refused(self, path: str) -> None:
        with pytest.raises(InvalidInput, match="relative to the project"):
            study(metadata={"model_class": path}).tasks(REF)

    @pytest.mark.parametrize("ref", ["", "latest", "sha256:abc", "repo:tag"])
    def test_bad_bundle_ref(self, ref: str) -> None:
        with pytest.raises(ValueError, match="bundle_ref must be"):
            study().to_simjob(ref)

    def test_job(self) -> None:
        job = study().to_simjob(REF)
        assert job.job_id.startswith("job-")
        assert len(job.job_id) == 12
        assert job.metadata == {
            "sampling_method": "sobol",
            "n_parameter_sets": 2,
            "n_replicates": 2,
            "model": "models.sir",
            "scenario": "baseline",
            **content()["metadata"],
        }
        assert job.target_spec is None
        assert study().to_simjob(REF, job_id="job-1").job_id == "job-1"

    def test_targets_of_a_job(self) -> None:
        read = study(metadata={"model_class": "m.M", "target_weights": {"inc": 2.0}})
        scored = read.with_targets(["t:inc"], target_ids=["inc"], target_set="all")
        spec = scored.to_simjob(REF).target_spec
        assert spec is not None
        assert spec.data == {
            "target_entrypoints": ["t:inc"],
            "target_ids": ["inc"],
            "target_set": "all",
        }
        assert (spec.loss_function, spec.weights) == ("default", {"inc": 2.0})
        assert spec.metadata == {"targets": ["t:inc"], "target_ids": ["inc"], "target_set": "all"}
        assert read.targets is None


class TestNormalised:
    def test_values_take_their_kind(self) -> None:
        rows = study(parameter_sets=[{"beta": 1, "n0": 3.0, "other": 2}, {"beta": -0.0, "n0": 4}])
        first, second = rows.normalised({"beta": "float", "n0": "int"}).parameter_sets
        assert [repr(value) for value in first.params.values()] == ["1.0", "3", "2"]
        assert [repr(value) for value in second.params.values()] == ["0.0", "4"]

    def test_seeds_stay(self) -> None:
        assert study().normalised({"n0": "int"}).parameter_sets[1].seed == 7

    def test_every_wrong_value_is_named(self) -> None:
        rows = study(parameter_sets=[{"n0": 3.5}, {"n0": "x"}, {"n0": 1}, {"n0": True}])
        with pytest.raises(InvalidInput) as caught:
            rows.normalised({"n0": "int"})
        assert [detail.path for detail in caught.value.details] == [
            f"$.parameter_sets[{i}].params.n0" for i in (0, 1, 3)
        ]


class TestJoined:
    def test_rows_are_kept_once(self) -> None:
        one = study(parameter_sets=[{"x": 1.0}, {"x": 2.0}])
        two = study(parameter_sets=[{"x": 2.0}, {"x": 3.0}, {"params": {"x": 2.0}, "seed": 1}])
        rows = one.joined(two).parameter_sets
        assert [(row.params["x"], row.seed) for row in rows] == [
            (1.0, None),
            (2.0, None),
            (3.0, None),
            (2.0, 1),
        ]

    def test_a_design_and_its_continuation_are_one_design(self) -> None:
        more = content()["metadata"]
        more["design"] = {**more["design"], "start": 2, "n": 6}
        joined = study().joined(study(metadata=more))
        assert joined.metadata["design"] == {"kind": "sobol", "seed": 42, "start": 0, "n": 8}
        assert joined.metadata["n_samples"] == 8

    def test_two_designs_are_not_called_one(self) -> None:
        other = content()["metadata"]
        other["design"] = {**other["design"], "seed": 1, "start": 2}
        joined = study().joined(study(metadata=other))
        assert "design" not in joined.metadata
        assert len(joined.metadata["designs"]) == 2

    @pytest.mark.parametrize(
        ("field", "changes"),
        [
            ("model", {"model": "models.other"}),
            ("scenario", {"scenario": "lockdown"}),
            ("n_replicates", {"n_replicates": 9}),
            ("outputs", {"outputs": ["a"]}),
            ("config", {"metadata": {**content()["metadata"], "config": {"k": 1}}}),
            ("crn", {"metadata": {**content()["metadata"], "crn": "per-replicate-index"}}),
        ],
    )
    def test_what_must_agree(self, field: str, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput, match=f"differ in .*{field}"):
            study().joined(study(**changes))

    def test_an_empty_config_is_none(self) -> None:
        other = {**content()["metadata"], "config": {}, "crn": "none"}
        assert study().joined(study(metadata=other)).parameter_count() == 2


class TestFiles:
    def test_round_trip(self, tmp_path: Path) -> None:
        path = tmp_path / "study.json"
        write_spec(study(), path)
        assert load_spec(path) == study()
        text = path.read_text()
        assert not text.endswith("\n")
        assert text.startswith('{\n  "model"')

    @pytest.mark.parametrize(
        ("text", "fragment"),
        [
            ('{"model": "m"}', "neither a study"),
            ('{"algorithm": "optuna", "parameter_sets": []}', "has both"),
            ('{"parameter_set": []}', "found 'parameter_set'"),
            ("[1]", "must hold a JSON object"),
            ('{"a": 1,\n"b" 2}', ":2:5: not JSON"),
            ('{"a": 1, "a": 2}', "key 'a' appears twice"),
            ("", ":1:1: not JSON"),
        ],
    )
    def test_mistakes_name_the_file(self, tmp_path: Path, text: str, fragment: str) -> None:
        path = tmp_path / "x.json"
        path.write_text(text)
        with pytest.raises(InvalidInput, match=fragment) as caught:
            load_spec(path)
        assert str(path) in str(caught.value)

    def test_mistakes_inside_keep_their_paths(self, tmp_path: Path) -> None:
        path = tmp_path / "x.json"
        path.write_text(json.dumps(content(n_replicates=0, outputs=3)))
        with pytest.raises(InvalidInput, match="2 mistakes") as caught:
            load_spec(path)
        assert [detail.path for detail in caught.value.details] == ["$.n_replicates", "$.outputs"]

    def test_missing_directory_and_bytes(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="not found"):
            load_spec(tmp_path / "none.json")
        with pytest.raises(InvalidInput, match="is a directory"):
            load_spec(tmp_path)
        (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(InvalidInput, match="UTF-8"):
            load_spec(tmp_path / "b")

    def test_a_byte_order_mark_is_no_mistake(self, tmp_path: Path) -> None:
        path = tmp_path / "x.json"
        path.write_text("\ufeff" + json.dumps(content()), encoding="utf-8")
        assert load_spec(path) == study()

    def test_a_calibration_is_recognised(self, tmp_path: Path) -> None:
        path = tmp_path / "c.json"
        spec = CalibrationSpec(
            model="m",
            scenario="baseline",
            algorithm="optuna",
            target_data={"target_ids": ["a"]},
            algorithm_config={"parameter_specs": {"x": {"lower": 0, "upper": 1}}},
        )
        write_spec(spec, path)
        assert load_spec(path) == spec


@pytest.mark.parametrize("data", [[], None, "study", 3])
@pytest.mark.parametrize("kind", [SimulationStudy, CalibrationSpec])
def test_a_file_that_holds_no_object_is_refused(kind: Any, data: Any) -> None:
    with pytest.raises(InvalidInput, match="must be an object"):
        kind.from_dict(data)


def test_a_number_too_large_for_a_float_is_refused_by_its_place() -> None:
    study = SimulationStudy("m.s", "baseline", ({"x": 10**400},), "manual")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"\$\.parameter_sets\[0\]\.params\.x"):
        study.normalised({"x": "float"})


def test_a_seed_may_come_from_numpy() -> None:
    assert type(ParameterSetEntry({"x": 1}, seed=np.int64(3)).seed) is int  # type: ignore[arg-type]
