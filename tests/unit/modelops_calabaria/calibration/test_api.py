"""From a notebook: real models, real targets, everything in this process."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.alignment.join import ExactJoin
from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.calibration.api import calibrate, check, evaluate, run_study
from modelops_calabaria.decorators import model_output, model_scenario
from modelops_calabaria.evaluation.evaluator import annealed_mse
from modelops_calabaria.evaluation.families.counts import NegativeBinomial
from modelops_calabaria.evaluation.likelihoods import neg_binomial_loglik_per_rep
from modelops_calabaria.evaluation.quantities import Param
from modelops_calabaria.parameters.config import ConfigSpec, ConfigurationSpace
from modelops_calabaria.parameters.types import ParameterSpace, ParameterSpec
from modelops_calabaria.sampling.base import SamplingWarning
from modelops_calabaria.sampling.file import FileSampler
from modelops_calabaria.sampling.grid import GridSampler
from modelops_calabaria.sampling.sobol import SobolSampler
from modelops_calabaria.scenarios import ScenarioSpec
from modelops_calabaria.targets import LikelihoodTarget, LossTarget
from modelops_contracts.digests import common_study_seed, study_seed
from modelops_contracts.errors import Conflict, InvalidInput, ModelOpsError
from modelops_contracts.study import SimulationStudy
from support.boarding_school import IN_BED, MAXIMUM_LOGLIK, infected

SPACE = ParameterSpace(
    [
        ParameterSpec("beta", 0.5, 4.0, transform="log"),
        ParameterSpec("gamma", 0.1, 2.0, transform="log"),
        ParameterSpec("k", 1.0, 100.0, transform="log"),
    ]
)


class School(BaseModel):
    """The outbreak as an ordinary differential equation."""

    PARAMS = SPACE
    DETERMINISTIC = True

    def build_sim(self, params: Any, config: Any) -> Any:
        return params

    def run_sim(self, state: Any, seed: int) -> Any:
        return infected(state["beta"], state["gamma"])

    @model_output("in_bed")
    def in_bed(self, raw: Any, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"day": range(1, 15), "in_bed": raw})


class NoisySchool(School):
    """The same with noise on the transmission rate; breaks at very low ones."""

    DETERMINISTIC = False

    def run_sim(self, state: Any, seed: int) -> Any:
        if state["beta"] < 0.6:
            raise ZeroDivisionError("nobody was infected")
        noise = np.random.default_rng(seed).normal(0, 0.02)
        return infected(state["beta"] * math.exp(noise), state["gamma"])

    @model_scenario("slow")
    def slow(self) -> ScenarioSpec:
        return ScenarioSpec("slow", param_patches={"beta": 1.0})


OBSERVED = pl.DataFrame({"day": range(1, 15), "in_bed": IN_BED.astype(int)})


def likelihood(name: str = "in_bed") -> LikelihoodTarget:
    family = neg_binomial_loglik_per_rep("in_bed", k=Param("k"))
    return LikelihoodTarget(name, "in_bed", OBSERVED, ExactJoin(["day"]), family)


def loss() -> LossTarget:
    return LossTarget("mse", "in_bed", OBSERVED, ExactJoin(["day"]), annealed_mse("in_bed"))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_deterministic_model_reaches_its_maximum_likelihood(seed: int) -> None:
    fit = calibrate(School, likelihood(), engine="cmaes", n_trials=400, seed=seed)
    assert -fit.best.objective >= MAXIMUM_LOGLIK - 0.01
    assert fit.best.optimism == 0.0
    assert fit.stop_reason == "converged"
    assert fit.verdict != "FAIL"
    assert fit.fit is not None
    assert fit.fit.height == 14
    assert fit.settings["n_replicates"] == 1
    assert 0.2 < max(p["gamma"] for p in fit.plausible) < 0.8
    assert len(fit.plausible) > 20


def test_a_stochastic_model_is_searched_rescored_and_reported(tmp_path: Path) -> None:
    fit = calibrate(NoisySchool, [likelihood(), loss_weightless()], n_trials=25, n_replicates=3,
                    weights={"mse": 0.0}, journal=tmp_path / "fit")  # fmt: skip
    assert fit.best.objective_se > 0
    assert len(fit.best.seeds) == 40
    assert "MIXED_TRACKS" not in {finding.code for finding in fit.findings}
    assert {"SIM_FAILED"} >= set(fit.trials["reason"].drop_nulls())
    assert {frame["target"].n_unique() for frame in (fit.fit, fit.prior_fit)} == {2}
    assert (tmp_path / "fit" / "result.json").exists()
    assert fit.report(tmp_path / "fit.html").exists()


def loss_weightless() -> LossTarget:
    return loss()


class Peak:
    """A target by protocol alone: it knows one number and keeps no rows."""

    name = "peak"
    model_output = "in_bed"

    def evaluate(self, outputs: Any) -> Any:
        highest = [float(tables["in_bed"]["in_bed"].max()) for tables in outputs]
        return types.SimpleNamespace(loss=abs(sum(highest) / len(highest) - 298.0))


def test_a_target_that_gives_only_a_loss_costs_a_picture_never_the_result(tmp_path: Path) -> None:
    alone = calibrate(School, Peak(), engine="random", n_trials=4)
    assert alone.fit is None
    assert any("no target keeps observed rows" in note for note in alone.notes)
    beside = calibrate(School, [Peak(), loss()], engine="random", n_trials=4)
    assert beside.fit["target"].unique().to_list() == ["mse"]
    assert beside.notes[-1] == "no predictive ranges of peak: without observed rows"
    assert beside.report(tmp_path / "fit.html").exists()


@dataclass(frozen=True)
class Undrawable(NegativeBinomial):
    def draw(self, *_: Any, **__: Any) -> Any:
        raise ValueError("lam value too large")


class WithoutDraws(NegativeBinomial):
    """As its parent, whose generator gives up at enormous means."""

    def draw(self, *_: Any) -> Any:
        raise ValueError("lam value too large")


def test_ranges_that_cannot_be_drawn_cost_a_picture_never_the_result() -> None:
    family = WithoutDraws("in_bed", Param("k"))
    target = LikelihoodTarget("in_bed", "in_bed", OBSERVED, ExactJoin(["day"]), family)
    fit = calibrate(School, target, engine="random", n_trials=4)
    assert math.isfinite(fit.best.objective)
    assert [note for note in fit.notes if "winner ensemble" in note] == [
        "winner ensemble: not drawn (ValueError: lam value too large)"
    ]


def test_a_model_that_leaves_python_fails_that_simulation_alone() -> None:
    class Leaving(NoisySchool):
        def run_sim(self, state: Any, seed: int) -> Any:
            if state["beta"] < 0.6:
                sys.exit(3)
            return super().run_sim(state, seed)

    Leaving.__qualname__ = "Leaving"
    run = run_study(Leaving, [{"beta": beta, "gamma": 0.5, "k": 10.0} for beta in (0.55, 1.7)])
    assert run.failures["error_type"].to_list() == ["SystemExit"]


def test_an_existing_journal_resumes_and_other_settings_are_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n_trials": 12, "n_replicates": 2, "journal": tmp_path}
    first = calibrate(NoisySchool, likelihood(), **options)
    size = (tmp_path / "journal.jsonl").stat().st_size
    second = calibrate(NoisySchool, likelihood(), **options)
    assert second.best == first.best
    assert (tmp_path / "journal.jsonl").stat().st_size == size
    with pytest.raises(Conflict, match="seed: was 0, now 4"):
        calibrate(NoisySchool, likelihood(), seed=4, **options)


def test_warm_start_asks_the_earlier_candidates_first(tmp_path: Path) -> None:
    from modelops_calabaria.calibration.builders import build_calibration
    from modelops_calabaria.calibration.plan import plan_calibration
    from modelops_calabaria.describe import describe_model, describe_target

    earlier = calibrate(School, likelihood(), n_trials=20, journal=tmp_path)
    target = describe_target(likelihood(), "in_memory:in_bed")
    bounds = {spec.name: (spec.lower, spec.upper, "log") for spec in SPACE}
    spec = build_calibration(describe_model(School), [("in_bed", target)], parameters=bounds,
                             extra={"warm_start": str(tmp_path)})  # fmt: skip
    plan = plan_calibration(spec, describe_model(School), [target])
    assert dict(plan.warm_points[0]) == dict(earlier.best.calibrated)
    assert len(plan.warm_points) == 5


def test_parameters_may_be_narrowed_listed_and_fixed() -> None:
    fit = calibrate(School, likelihood(), parameters={"beta": (1.0, 2.0)},
                    fixed={"gamma": 0.54, "k": 12.0}, n_trials=12)  # fmt: skip
    assert list(fit.best.calibrated) == ["beta"]
    assert fit.best.params["gamma"] == 0.54
    listed = calibrate(School, likelihood(), parameters=["beta"],
                       fixed={"gamma": 0.54, "k": 12.0}, n_trials=12)  # fmt: skip
    assert list(listed.best.calibrated) == ["beta"]
    with pytest.raises(InvalidInput, match="gamma, k are neither free nor fixed"):
        calibrate(School, likelihood(), parameters={"beta": (1.0, 2.0)})


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"beta": 1.0}, "beta: bounds are"),
        ({"beta": (0.5,)}, "beta: bounds are"),
        ({"beta": (0.5, 2.0, "log", 3)}, "beta: bounds are"),
        ({"beta": "ab"}, "beta: bounds are"),
        ([], "no free parameter|neither free nor fixed"),
    ],
)
def test_parameters_that_are_no_bounds_are_refused(parameters: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        calibrate(School, likelihood(), parameters=parameters, fixed={"gamma": 0.5, "k": 10})


@pytest.mark.parametrize("seed", ["x", 1.5, -1, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(InvalidInput, match="seed must be a whole number >= 0"):
        evaluate(School, likelihood(), {"beta": 1.7, "gamma": 0.5, "k": 10.0}, seed=seed)


def test_the_file_form_of_a_notebook_calibration_is_valid() -> None:
    from modelops_contracts.study import CalibrationSpec

    fit = calibrate(School, loss(), fixed={"k": 1.0}, n_trials=12, stop={"patience": 50})
    assert CalibrationSpec.from_dict(fit.spec.to_dict()).to_dict() == fit.spec.to_dict()
    fit.spec.validate(SPACE)


class TestRunStudy:
    def test_tables_say_where_each_row_comes_from(self) -> None:
        design = [{"beta": 1.7, "gamma": 0.5, "k": 10}, {"beta": 0.55, "gamma": 0.5, "k": 10}]
        study = run_study(NoisySchool, design, n_replicates=3, targets=[likelihood()])
        good, bad = study.parameters["param_id"].to_list()
        frame = study.outputs["in_bed"]
        assert frame.columns[:4] == ["param_id", "scenario", "replicate", "seed"]
        assert frame.height == 3 * 14
        assert set(frame["seed"]) == {study_seed(good, i) for i in range(3)}
        assert study.failures["seed"].to_list() == [study_seed(bad, i) for i in range(3)]
        assert "nobody was infected" in study.failures["traceback"][0]
        assert study.evaluations["reason"].to_list() == [None, "SIM_FAILED"]

    def test_common_random_numbers_and_differences_between_scenarios(self) -> None:
        design = [{"beta": 1.7, "gamma": 0.5, "k": 10}]
        study = run_study(NoisySchool, design, scenario=["baseline", "slow"], n_replicates=2,
                          crn="per-replicate-index", base_seed=7)  # fmt: skip
        assert set(study.outputs["in_bed"]["seed"]) == {common_study_seed(7, i) for i in range(2)}
        change = study.differences(to="baseline")["in_bed"]
        assert set(change["scenario"]) == {"slow"}
        assert change.height == 2 * 14
        assert change.filter(change["day"] == 6)["in_bed"].max() < -100
        with pytest.raises(InvalidInput, match="'closed' was not run"):
            study.differences(to="closed")

    def test_varying_what_a_scenario_sets_is_warned_of(self) -> None:
        design = [{"beta": beta, "gamma": 0.5, "k": 10} for beta in (1.7, 1.8)]
        with pytest.warns(SamplingWarning, match=r"scenario slow sets beta = 1\.0: sampling beta"):
            run_study(NoisySchool, design, scenario=["baseline", "slow"])

    @pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
    def test_the_number_of_replicates_is_a_whole_number(self, n: Any) -> None:
        """Looking for 1.5 distinct seeds would never end."""
        point = {"beta": 1.7, "gamma": 0.5, "k": 10.0}
        with pytest.raises(InvalidInput, match="n_replicates must be a whole number >= 1"):
            run_study(NoisySchool, [point], n_replicates=n)
        with pytest.raises(InvalidInput, match="n_replicates must be a whole number >= 1"):
            evaluate(NoisySchool, likelihood(), point, n_replicates=n)

    def test_the_seeds_of_a_design_file_are_those_that_run(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.csv"
        path.write_text("beta,gamma,k,seed\n1.7,0.5,10,7\n1.7,0.5,10,8\n1.8,0.5,10,\n")
        for design in (FileSampler(SPACE, path), (FileSampler(SPACE, path), 3)):
            frame = run_study(NoisySchool, design, n_replicates=2).outputs["in_bed"]
            seeds = frame.select("param_id", "seed").unique(maintain_order=True)
            assert seeds["seed"].to_list()[:2] == [7, 8]
            last = seeds["param_id"][-1]
            assert seeds["seed"].to_list()[2:] == [study_seed(last, i) for i in range(2)]

    def test_seeds_stand_in_the_tables_of_models_that_extract_their_own_way_too(self) -> None:
        class Own(NoisySchool):
            def extract_outputs(self, raw: Any, seed: int, outputs: Any = None) -> Any:
                return super().extract_outputs(raw, seed, outputs)

        design = [{"beta": 1.7, "gamma": 0.5, "k": 10.0}]
        studies = [run_study(model, design, n_replicates=3) for model in (NoisySchool, Own)]
        usual, own = (study.outputs["in_bed"] for study in studies)
        assert usual.equals(own)
        assert usual.schema["seed"] == pl.Int64
        assert usual["seed"].n_unique() == 3

    def test_a_column_seed_of_the_models_own_is_refused_without_targets_too(self) -> None:
        class Seeded(NoisySchool):
            @model_output("own")
            def own(self, raw: Any, seed: int) -> Any:
                return pl.DataFrame({"seed": [seed]})

        study = run_study(Seeded, [{"beta": 1.7, "gamma": 0.5, "k": 10.0}])
        assert "must not add a 'seed' column" in study.failures["message"][0]

    def test_a_repeated_parameter_set_is_simulated_once_and_reported_each_time(self) -> None:
        seeds: list[int] = []

        class Counted(NoisySchool):
            def run_sim(self, state: Any, seed: int) -> Any:
                seeds.append(seed)
                return super().run_sim(state, seed)

        values = [{"beta": beta, "gamma": 0.5, "k": 10.0} for beta in (1.7, 1.8, 1.7)]
        design = SimulationStudy.from_dict(
            {
                "model": "school.NoisySchool",
                "scenario": "baseline",
                "parameter_sets": [{"params": row} for row in values],
                "n_replicates": 2,
            }
        )
        study = run_study(Counted, design)
        assert len(seeds) == len(set(seeds)) == 4
        assert study.parameters.height == 3
        assert study.outputs["in_bed"].height == 3 * 2 * 14

    def test_columns_of_the_model_that_are_called_like_labels_are_kept(self) -> None:
        class Labelled(School):
            @model_output("in_bed")
            def in_bed(self, raw: Any, seed: int) -> pl.DataFrame:
                return pl.DataFrame({"param_id": ["mine"], "scenario": [3], "scenario__own": [4]})

        study = run_study(Labelled, [{"beta": 1.7, "gamma": 0.5, "k": 10.0}])
        (row,) = study.outputs["in_bed"].rows(named=True)
        assert (row["scenario"], row["param_id__own"]) == ("baseline", "mine")
        assert (row["scenario__own"], row["scenario__own__own"]) == (4, 3)

    def test_a_study_keeps_its_scenario_configuration_and_outputs(self) -> None:
        class Town(School):
            CONFIG = ConfigurationSpace([ConfigSpec("days", 3), ConfigSpec("first", 0)])

            def build_sim(self, params: Any, config: Any) -> Any:
                return config["first"], config["days"]

            def run_sim(self, state: Any, seed: int) -> Any:
                return state

            @model_output("in_bed")
            def in_bed(self, raw: Any, seed: int) -> pl.DataFrame:
                return pl.DataFrame({"day": range(raw[0], raw[0] + raw[1])})

            @model_output("other")
            def other(self, raw: Any, seed: int) -> pl.DataFrame:
                return pl.DataFrame({"x": [1]})

            @model_scenario("late")
            def late(self) -> ScenarioSpec:
                return ScenarioSpec("late", config_patches={"first": 7})

        design = SimulationStudy(
            "town.Town",
            "late",
            ({"beta": 1.7, "gamma": 0.5, "k": 10.0},),  # type: ignore[arg-type]
            outputs=("in_bed",),
            metadata={"config": {"days": 2}},
        )
        study = run_study(Town, design)
        assert list(study.outputs) == ["in_bed"]
        assert study.outputs["in_bed"]["day"].to_list() == [7, 8]
        assert study.outputs["in_bed"]["scenario"].unique().to_list() == ["late"]
        more = run_study(Town, design, outputs=["other"], config={"days": 1})
        assert list(more.outputs) == ["other"]
        both = run_study(Town, design, scenario=["baseline", "late"])
        assert both.outputs["in_bed"]["day"].to_list() == [0, 1, 7, 8]

    @pytest.mark.parametrize(
        "design",
        [
            (SobolSampler(SPACE, seed=1), 4),
            GridSampler(ParameterSpace(SPACE.specs[:2]), 2),
            pl.DataFrame({"beta": [1.0, 1.5, 2.0, 3.0]}),
        ],
    )
    def test_designs_of_every_form(self, design: Any) -> None:
        sampled = {"k": 10.0} if isinstance(design, GridSampler) else {"gamma": 0.5, "k": 10.0}
        fixed = {} if isinstance(design, tuple) else sampled
        study = run_study(School, design, fixed=fixed)
        assert study.parameters.height == 4
        assert study.evaluations.height == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"scenario": "lockdwn"}, "Unknown scenario"),
            ({"outputs": ["deaths"]}, "no output deaths"),
            ({"design": []}, "no rows"),
            ({"design": 5}, "a design is"),
            ({"n_replicates": 0}, "n_replicates"),
            ({"fixed": {"beta": 1.0}}, "both in the design and fixed"),
            ({"service": object()}, "service must be a SimulationService, not object"),
            ({"crn": "yes"}, "crn must be"),
        ],
    )
    def test_mistakes_are_named(self, change: dict[str, Any], message: str) -> None:
        options = {"design": [{"beta": 1.0, "gamma": 0.5, "k": 1.0}], **change}
        design = options.pop("design")
        with pytest.raises(ModelOpsError, match=message):
            run_study(School, design, **options)


class TestEvaluateAndCheck:
    POINT: Mapping[str, float] = {"beta": 1.7, "gamma": 0.5, "k": 10.0}

    def test_the_known_value(self) -> None:
        result = evaluate(School, likelihood(), self.POINT)
        assert result.objective == pytest.approx(61.62559, abs=1e-4)

    def test_more_replicates_begin_with_the_same_seeds(self) -> None:
        few = evaluate(NoisySchool, likelihood(), self.POINT, n_replicates=2, seed=7)
        many = evaluate(NoisySchool, likelihood(), self.POINT, n_replicates=6, seed=7)
        assert many.seeds[:2] == few.seeds
        assert many.scores[0].per_replicate[:2] == few.scores[0].per_replicate

    def test_a_sound_model_has_no_findings(self) -> None:
        assert check(NoisySchool, likelihood()) == []
        assert check(School, [likelihood()]) == []

    def test_a_model_that_breaks_is_found_with_its_seed(self) -> None:
        found = check(NoisySchool, likelihood(), fixed={"beta": 0.55})
        assert [(f.code, f.severity) for f in found] == [("SIM_FAILED", "FAIL")]
        assert "nobody was infected" in found[0].message
        assert "seed" in found[0].action

    def test_hidden_randomness_is_found(self) -> None:
        class Hidden(School):
            count = 0

            def run_sim(self, state: Any, seed: int) -> Any:
                type(self).count += 1
                return super().run_sim(state, seed) + type(self).count

        Hidden.__qualname__ = "Hidden"
        assert [f.code for f in check(Hidden, likelihood())] == ["NOT_REPRODUCIBLE"]

    def test_a_deterministic_claim_is_tested(self) -> None:
        class Claims(NoisySchool):
            DETERMINISTIC = True

        Claims.__qualname__ = "Claims"
        found = check(Claims, likelihood())
        assert [f.code for f in found] == ["NOT_REPRODUCIBLE"]
        assert "declares itself deterministic" in found[0].message
