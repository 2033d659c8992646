from __future__ import annotations

import json
import subprocess
import sys

import pytest

from modelops_calabaria.parameters import ParameterSpace, ParameterSpec
from modelops_calabaria.sampling import (
    FileSampler,
    GridSampler,
    LatinHypercubeSampler,
    SamplingStrategy,
    SamplingWarning,
    SobolSampler,
)
from modelops_calabaria.sampling.study import build_study, extend_study, space_from_description
from modelops_contracts.digests import make_param_id
from modelops_contracts.errors import InvalidInput
from modelops_contracts.models import ModelDescription
from modelops_contracts.study import SimulationStudy

SPACE = ParameterSpace(
    [
        ParameterSpec("beta", 0.1, 0.9, transform="log"),
        ParameterSpec("gamma", 0.1, 0.5),
        ParameterSpec("n", 1, 5, "int", default=2),
    ]
)


def described(space=SPACE, **changes):
    fields = {
        "class_path": "models.sir:Sir",
        "parameters": tuple(space.to_dict()["parameters"]),
        "scenarios": {
            "baseline": {"param_patches": {}, "config_patches": {}},
            "closed": {"param_patches": {"beta": 0.2}, "config_patches": {}},
            "Not A Slug": {},
        },
        "outputs": ("inc",),
        "config": {"days": "10"},
    }
    return ModelDescription(**{**fields, **changes})


def sobol(**options):
    return SobolSampler(SPACE, seed=42, **options)


def test_a_sobol_study():
    study = build_study(described(), sobol(), n=8, n_replicates=3)
    assert study.model == "models.sir"
    assert study.scenario == "baseline"
    assert study.sampling_method == "sobol"
    assert study.total_simulation_count() == 24
    assert [dict(entry.params) for entry in study.parameter_sets] == sobol().sample(8)
    design = dict(study.metadata["design"])
    assert len(design.pop("space")) == 16
    assert design == {
        "kind": "sobol", "seed": 42, "scramble": True, "measure": "prior", "int_mapping": "equal",
        "start": 0, "n": 8,
    }  # fmt: skip
    assert study.metadata["model_class"] == "models.sir:Sir"
    assert {study.metadata[key] for key in ("n_samples", "seed", "scramble")} == {8, 42, True}
    assert SimulationStudy.from_dict(json.loads(json.dumps(study.to_dict()))) == study


def test_bounds_and_fixed_values():
    study = build_study(
        described(), sobol(), n=16, bounds={"beta": (0.2, 0.3)}, fixed={"gamma": 0.25, "n": 3.0}
    )
    rows = [dict(entry.params) for entry in study.parameter_sets]
    assert all(0.2 <= row["beta"] <= 0.3 for row in rows)
    assert {(row["gamma"], row["n"]) for row in rows} == {(0.25, 3)}
    assert list(rows[0]) == ["beta", "gamma", "n"]
    assert study.metadata["fixed"] == {"gamma": 0.25, "n": 3}
    assert study.metadata["design"]["bounds"] == {"beta": [0.2, 0.3]}
    assert make_param_id(rows[0]) == make_param_id({**rows[0], "n": 3})


def test_a_grid_study():
    study = build_study(described(), GridSampler(SPACE, {"beta": 2}), fixed={"n": 1})
    assert study.metadata["grid_points"] == {"beta": 2, "gamma": 3}
    assert study.metadata["total_samples"] == 6
    assert "n_samples" not in study.metadata


def test_a_design_as_data():
    by_data = build_study(described(), {"kind": "sobol", "seed": 42}, n=4)
    assert by_data == build_study(described(), sobol(), n=4)


@pytest.mark.parametrize(
    ("request_", "fragment"),
    [
        ({"scenario": "closd"}, "Unknown scenario: closd"),
        ({"scenario": "Not A Slug"}, "no entry point can carry"),
        ({"fixed": {"bata": 1}}, "Unknown fixed parameters: bata"),
        ({"fixed": {"beta": 7}}, "beta = 7.0 is outside bounds"),
        ({"bounds": {"bata": (0, 1)}}, "bounds for unknown parameters: bata"),
        ({"bounds": {"beta": (0.01, 0.5)}}, r"beta: bounds \[0.01, 0.5\].*\[0.1, 0.9\]"),
        ({"bounds": {"beta": (0.2, 0.5)}, "fixed": {"beta": 0.3}}, "both fixed and given bounds"),
        ({"outputs": ["icn"]}, "Unknown outputs: icn"),
        ({"config": {"dyas": 1}}, "Unknown configurations: dyas"),
        ({"crn": "yes"}, "crn must be"),
        ({"fixed": {"beta": 0.3, "gamma": 0.2, "n": 1}}, "nothing to sample"),
        ({"n_replicates": 0}, "n_replicates"),
    ],
)
def test_requests_the_model_cannot_meet(request_, fragment):
    with pytest.raises(InvalidInput, match=fragment):
        build_study(described(), sobol(), n=4, **request_)


def test_what_deserves_attention_is_said():
    said: list[str] = []
    build_study(described(), sobol(), n=5, scenario="closed", warn=said.append)
    assert len(said) == 2
    assert "closed sets beta = 0.2" in said[0]
    assert "next power of 2 is 8" in said[1]
    with pytest.warns(SamplingWarning, match="next power of 2"):
        build_study(described(), sobol(), n=5)


def test_duplicates_are_dropped_with_a_count():
    space = ParameterSpace([ParameterSpec("n", 1, 2, "int")])
    said: list[str] = []
    study = build_study(
        described(space), SobolSampler(space, seed=1), n=8, scenario="baseline", warn=said.append
    )
    assert [dict(entry.params)["n"] for entry in study.parameter_sets] in ([1, 2], [2, 1])
    assert said == ["6 of 8 rows are duplicates and were dropped"]
    assert study.metadata["n_samples"] == 8


class TestFiles:
    def test_missing_columns_come_from_fixed_and_defaults(self, tmp_path):
        path = tmp_path / "rows.csv"
        path.write_text("beta,seed\n0.5,\n0.6,9\n")
        sampler = FileSampler(SPACE, path)
        study = build_study(described(), sampler, fixed={"gamma": 0.2}, n_replicates=2)
        assert [(dict(e.params), e.seed) for e in study.parameter_sets] == [
            ({"beta": 0.5, "gamma": 0.2, "n": 2}, None),
            ({"beta": 0.6, "gamma": 0.2, "n": 2}, 9),
        ]
        assert study.total_simulation_count() == 3
        with pytest.raises(InvalidInput, match="gamma: neither free nor fixed, and no default"):
            build_study(described(), sampler)
        with pytest.raises(InvalidInput, match="column for beta, which is fixed"):
            build_study(described(), sampler, fixed={"beta": 0.2})


class TestExtension:
    def test_only_the_new_rows(self):
        study = build_study(described(), sobol(), n=8, fixed={"n": 1}, bounds={"beta": (0.2, 0.4)})
        new = extend_study(study, 8, described())
        whole = build_study(described(), sobol(), n=16, fixed={"n": 1}, bounds={"beta": (0.2, 0.4)})
        assert study.joined(new) == whole
        assert new.metadata["design"]["start"] == 8
        again = extend_study(study.joined(new), 16, described())
        assert again.metadata["design"]["start"] == 16

    def test_a_grid_is_refined_by_the_points_it_does_not_have(self):
        coarse = build_study(described(), GridSampler(SPACE, 3), fixed={"n": 2})
        new = extend_study(coarse, 5, described())
        fine = build_study(described(), GridSampler(SPACE, 5), fixed={"n": 2})
        assert (len(coarse.parameter_sets), len(new.parameter_sets)) == (9, 16)
        whole = coarse.joined(new)

        def points(study):
            return {make_param_id(entry.params) for entry in study.parameter_sets}

        assert points(whole) == points(fine)
        assert whole.metadata["design"] == {**fine.metadata["design"], "n": 25}
        assert len(extend_study(whole, 9, described()).parameter_sets) == 81 - 25
        with pytest.raises(InvalidInput, match="no point that the study does not have"):
            extend_study(whole, 5, described())

    def test_a_file_gives_the_rows_that_were_appended(self, tmp_path):
        path = tmp_path / "rows.csv"
        path.write_text("beta,gamma\n0.2,0.3\n0.3,0.3\n")
        study = build_study(described(), FileSampler(SPACE, path), fixed={"n": 2})
        with pytest.raises(InvalidInput, match=r"rows.csv has no rows beyond the 2"):
            extend_study(study, None, described())
        path.write_text("beta,gamma\n0.2,0.3\n0.3,0.3\n0.4,0.3\n0.5,0.3\n")
        new = extend_study(study, None, described())
        assert [entry.params["beta"] for entry in new.parameter_sets] == [0.4, 0.5]
        assert study.joined(new).metadata["design"]["n"] == 4

    def test_refusals(self):
        study = build_study(described(), sobol(), n=8)
        moved = ParameterSpace([SPACE.specs[0].narrowed(0.2, 0.9), *SPACE.specs[1:]])
        with pytest.raises(InvalidInput, match=r"parameters have changed.*space"):
            extend_study(study, 8, described(moved))
        with pytest.raises(InvalidInput, match=r"is of models.sir:Sir, not of models.other:Sir"):
            extend_study(study, 8, described(class_path="models.other:Sir"))
        latin = build_study(described(), LatinHypercubeSampler(SPACE, seed=1), n=8)
        with pytest.raises(InvalidInput, match="lhs design cannot be extended"):
            extend_study(latin, 8, described())


def test_sampling_loads_neither_polars_nor_optuna():
    code = """
import json, sys
from modelops_calabaria.sampling.study import build_study
from modelops_contracts.models import ModelDescription
spec = {"name": "beta", "lower": 0.1, "upper": 0.9, "kind": "float", "transform": "log"}
description = ModelDescription(class_path="m:M", parameters=(spec,), scenarios={"baseline": {}})
for design in ({"kind": "sobol", "seed": 1}, {"kind": "grid"}):
    build_study(description, design, n=4).to_dict()
heavy = ("polars", "optuna", "matplotlib", "cma", "pandas", "click", "rich")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_space_survives_the_description():
    assert space_from_description(described()) == SPACE


def test_a_design_of_ones_own():
    class Corners(SamplingStrategy):
        kind = "corners"

        def sample(self, n):
            bounds = [{spec.name: spec.lower for spec in self.parameter_space}]
            return [*bounds, {spec.name: spec.upper for spec in self.parameter_space}][:n]

    study = build_study(described(), Corners(SPACE), n=2, fixed={"n": 3})
    assert [dict(entry.params) for entry in study.parameter_sets] == [
        {"beta": 0.1, "gamma": 0.1, "n": 3},
        {"beta": 0.9, "gamma": 0.5, "n": 3},
    ]
    assert study.sampling_method == "corners"
    assert Corners(SPACE).frame(2)["n"].to_list() == [1, 5]
