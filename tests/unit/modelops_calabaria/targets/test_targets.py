"""Targets: reading data once, coverage, errors that say where, sets, references."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from modelops_calabaria.alignment import (
    AlignedData,
    AlignmentError,
    BadOutputError,
    ExactJoin,
    MetricAlignment,
    ObservedDataError,
)
from modelops_calabaria.alignment.errors import EvaluationError
from modelops_calabaria.evaluation.evaluator import annealed_mse, mean_signal_mse
from modelops_calabaria.evaluation.likelihoods import (
    log_normal_loglik_per_rep,
    neg_binomial_loglik_per_rep,
    normal_loglik_per_rep,
    poisson_loglik_per_rep,
    student_t_loglik_per_rep,
)
from modelops_calabaria.evaluation.quantities import Param
from modelops_calabaria.targets import (
    LikelihoodTarget,
    LikelihoodTargetSet,
    LossTarget,
    LossTargetSet,
    load_target,
    make_target,
    resolve_targets,
    scalar_target,
)
from modelops_contracts.errors import InvalidInput, NotFound
from support.scoring import frame, output

OBSERVED = {"day": [1, 2, 3, 4], "y": [1, 2, 3, 4]}
FULL = output(day=[1, 2, 3, 4], y=[1.0, 2.0, 3.0, 5.0])
SHORT = output(day=[1, 2], y=[1.0, 2.0])


def loss(coverage: str = "error", observed: Any = OBSERVED, **options: Any) -> LossTarget:
    evaluator = options.pop("evaluator", annealed_mse("y"))
    return LossTarget("cases", "out", observed, ExactJoin("day"), evaluator, coverage=coverage)


def loglik(coverage: str = "error", observed: Any = OBSERVED, **options: Any) -> LikelihoodTarget:
    return LikelihoodTarget(
        "cases", "out", observed, ExactJoin("day"), poisson_loglik_per_rep("y"),
        coverage=coverage, **options,
    )  # fmt: skip


# -- what a target says about itself ---------------------------------------------------------------


def test_public_attributes() -> None:
    target = LikelihoodTarget(
        "cases",
        "out",
        OBSERVED,
        ExactJoin("day"),
        neg_binomial_loglik_per_rep("y", Param("k")),
        weight=0.5,
    )
    assert (target.name, target.model_output, target.outputs) == ("cases", "out", ("out",))
    assert (target.kind, target.weight, target.coverage) == ("loglik", 0.5, "error")
    assert (target.n_observed, target.n_missing_obs) == (4, 0)
    assert (target.columns, target.family, target.parameters) == (("y",), "neg_binomial", ("k",))
    assert target.data.equals(pl.DataFrame(OBSERVED))
    other = loss(evaluator=annealed_mse("y", weight=3.0))
    assert (other.kind, other.weight, other.family) == ("loss", 3.0, "annealed_mse[y]")
    assert other.reweighted(2.0).weight == 2.0
    assert other.renamed("deaths").name == "deaths"
    assert other.weight == 3.0


@pytest.mark.parametrize("form", ["mapping", "polars", "lazy", "pandas", "csv", "parquet"])
def test_observed_data_in_any_form(form: str, tmp_path: Path) -> None:
    table = pl.DataFrame(OBSERVED)
    table.write_csv(tmp_path / "data.csv")
    table.write_parquet(tmp_path / "data.parquet")
    forms: dict[str, Any] = {
        "mapping": OBSERVED,
        "polars": table,
        "lazy": table.lazy(),
        "pandas": pd.DataFrame(OBSERVED),
        "csv": tmp_path / "data.csv",
        "parquet": str(tmp_path / "data.parquet"),
    }
    assert loss(observed=forms[form]).evaluate([FULL]).loss == pytest.approx(0.25)


def test_observed_data_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"file .*absent.csv not found"):
        loss(observed=tmp_path / "absent.csv")
    (tmp_path / "data.xlsx").write_text("")
    with pytest.raises(ObservedDataError, match=r"neither .csv nor .parquet"):
        loss(observed=tmp_path / "data.xlsx")
    with pytest.raises(ObservedDataError, match="cannot make a table of a int"):
        loss(observed=3)


def test_a_csv_with_a_missing_column_is_told_when_the_target_is_made() -> None:
    with pytest.raises(
        ObservedDataError, match=r"target cases: .*no column 'y'.*day, yy"
    ) as caught:
        loss(observed={"day": [1], "yy": [1]})
    assert caught.value.hint == "did you mean 'yy'?"
    with pytest.raises(ObservedDataError, match="no key column 'day'"):
        loglik(observed={"dya": [1], "y": [1]})


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        ({"day": [1, 1], "y": [1, 2]}, "more than once"),
        ({"day": [1, None], "y": [1, 2]}, "missing values"),
        ({"day": [1, 2], "y": [1.0, 5.7]}, "5.7"),
        ({"day": [1], "y": ["many"]}, "String"),
        ({"day": [1], "y": [None]}, "every observed row lacks"),
    ],
)
def test_observed_data_no_parameter_set_could_use(observed: dict[str, Any], words: str) -> None:
    with pytest.raises(ObservedDataError, match=f"target cases: .*{words}"):
        loglik(observed=observed)


@pytest.mark.parametrize(
    "evaluator",
    [
        normal_loglik_per_rep("y", 1.0),
        student_t_loglik_per_rep("y", 1.0, 4.0),
        log_normal_loglik_per_rep("y", 1.0),
        poisson_loglik_per_rep("y"),
        annealed_mse("y"),
        mean_signal_mse("y"),
    ],
)
@pytest.mark.parametrize(
    ("values", "words"),
    [(["1", "n/a"], "'y' holds String, not numbers"), ([1.0, math.inf], "'y' has infinite")],
)
def test_observed_values_that_are_no_numbers_are_not_blamed_on_the_model(
    evaluator: Any, values: list[Any], words: str
) -> None:
    make = LossTarget if hasattr(evaluator, "loss_fn") else LikelihoodTarget
    with pytest.raises(ObservedDataError, match=f"target cases: observed column {words}"):
        make("cases", "out", {"day": [1, 2], "y": values}, ExactJoin("day"), evaluator)


def test_an_observed_spread_that_is_no_number() -> None:
    data = {"day": [1, 2], "y": [1.0, 2.0], "sd": ["1", "wide"]}
    with pytest.raises(ObservedDataError, match="'sd' holds String"):
        LikelihoodTarget("cases", "out", data, ExactJoin("day"), normal_loglik_per_rep("y", "sd"))


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="coverage must be one of error, worst, zero"):
        loss(coverage="drop")
    with pytest.raises(ValueError, match="weight of target cases"):
        loglik(weight=-1.0)
    with pytest.raises(TypeError, match="no log-likelihood"):
        LikelihoodTarget("t", "out", OBSERVED, ExactJoin("day"), annealed_mse("y"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="LossEvaluator"):
        LossTarget("t", "out", OBSERVED, ExactJoin("day"), len)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one output"):
        LossTarget("t", [], OBSERVED, ExactJoin("day"), annealed_mse("y"))


# -- missing observations and coverage -------------------------------------------------------------


@pytest.mark.parametrize("gap", [None, math.nan])
def test_missing_observations_are_left_out_for_every_set_and_counted(gap: float | None) -> None:
    observed = {"day": [1, 2, 3, 4], "y": [1.0, gap, 3.0, 4.0]}
    target = loss(observed=observed)
    result = target.evaluate([FULL, FULL])
    assert (target.n_observed, target.n_missing_obs) == (3, 1)
    assert result.loss == pytest.approx(1 / 3)
    assert result.coverage is not None
    assert (result.coverage.n_observed, result.coverage.n_missing_obs) == (3, 1)


def test_a_short_replicate_is_an_error_that_says_where() -> None:
    with pytest.raises(AlignmentError) as caught:
        loss().evaluate([FULL, SHORT, SHORT], seeds=[5, 6, 7])
    text = str(caught.value)
    assert text.startswith("target cases, output out, replicate 1 (seed 6): 2 of 4 observed rows")
    assert "day=3; day=4" in text
    assert "2 of 3 replicates" in text
    assert "simulate longer" in (caught.value.hint or "")
    assert caught.value.reason == "COVERAGE"


def test_only_five_keys_are_shown() -> None:
    observed = {"day": list(range(20)), "y": [0] * 20}
    with pytest.raises(AlignmentError) as caught:
        loss(observed=observed).evaluate([output(day=[0], y=[0.0])])
    assert str(caught.value).count("day=") == 5


def test_worst_makes_a_short_replicate_impossible_and_keeps_r() -> None:
    result = loglik("worst").evaluate([FULL, SHORT, FULL])
    assert result.loglik_per_rep.shape == (3,)
    assert result.loglik_per_rep[1] == -math.inf
    assert np.isfinite(result.loglik_per_rep[[0, 2]]).all()
    bad = loss("worst").evaluate([FULL, SHORT, FULL])
    assert bad.loss == math.inf
    assert bad.per_replicate is not None
    assert bad.per_replicate.tolist() == [0.25, math.inf, 0.25]
    assert loss("worst", evaluator=mean_signal_mse("y")).evaluate([FULL, SHORT]).loss == math.inf


def test_zero_fills_and_counts() -> None:
    result = loss("zero").evaluate([FULL, SHORT])
    assert result.per_replicate is not None
    assert result.per_replicate.tolist() == [0.25, 25 / 4]
    assert result.coverage is not None
    assert result.coverage.n_imputed == 2
    assert result.coverage.matched == (4, 2)


EMPTY = {"out": FULL["out"].clear()}
BARE: dict[str, pl.DataFrame] = {"out": pl.DataFrame()}


@pytest.mark.parametrize("nothing", [EMPTY, BARE])
def test_replicates_without_any_row(nothing: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(AlignmentError, match="4 of 4 observed rows"):
        loss().evaluate([nothing])
    assert loss("worst").evaluate([nothing, FULL]).loss == math.inf
    assert loss("worst").evaluate([nothing]).loss == math.inf
    assert loglik("worst").evaluate([nothing, nothing]).loglik_per_rep.tolist() == [-math.inf] * 2
    assert loss("zero").evaluate([nothing]).loss == pytest.approx(30 / 4)
    assert loss("zero").evaluate([nothing, FULL]).per_replicate == pytest.approx([7.5, 0.25])


@pytest.mark.parametrize("coverage", ["error", "worst", "zero"])
def test_no_overlap_is_an_error_under_every_policy(coverage: str) -> None:
    elsewhere = output(day=[11, 12], y=[1.0, 2.0])
    with pytest.raises(AlignmentError, match=r"target cases, output out: no simulated row"):
        loss(coverage).evaluate([elsewhere, elsewhere])


@pytest.mark.parametrize("coverage", ["error", "worst", "zero"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_the_model_wrote_itself_is_bad_output_under_every_policy(
    coverage: str, value: float | None
) -> None:
    bad = output(day=[1, 2], y=[1.0, value])
    with pytest.raises(BadOutputError, match=r"1 \(seed 8\): the model wrote .*'y' at day=2"):
        loss(coverage).evaluate([FULL, bad], seeds=[7, 8])


def test_text_in_a_compared_column_is_bad_output() -> None:
    with pytest.raises(BadOutputError, match="'y' holds String"):
        loss().evaluate([output(day=[1, 2, 3, 4], y=["a", "b", "c", "d"])])


def test_a_column_the_model_does_not_write() -> None:
    with pytest.raises(AlignmentError, match=r"target cases, output out.*'y' is missing.*day, yy"):
        loss().evaluate([{"out": FULL["out"].rename({"y": "yy"})}])


def test_columns_that_are_not_compared_do_not_matter() -> None:
    noted = FULL["out"].with_columns(note=pl.lit("x"))
    odd = FULL["out"].with_columns(note=pl.lit(1.0), other=pl.lit(None))
    result = loss().evaluate([{"out": noted}, FULL, {"out": odd}])
    assert result.loss == pytest.approx(0.25)
    assert result.aligned_data is not None
    assert result.aligned_data.data.columns == ["day", "__replicate", "y__obs", "y__sim"]
    with pytest.raises(AlignmentError, match=r"replicate 2 \(seed 9\): column 'y' is missing"):
        loss().evaluate([FULL, FULL, {"out": odd.drop("y")}], seeds=[7, 8, 9])


def test_an_output_the_model_does_not_have() -> None:
    with pytest.raises(InvalidInput, match=r"target cases: .*'out'; it has outs") as caught:
        loss().evaluate([{"outs": FULL["out"]}])
    assert caught.value.hint == "did you mean 'outs'?"


def test_users_functions_are_covered_too() -> None:
    seen = []

    def mine(aligned: Any) -> Any:
        seen.append(aligned.grid("y__sim").copy())
        return np.zeros(aligned.n_replicates)

    target = LikelihoodTarget("t", "out", OBSERVED, ExactJoin("day"), mine, coverage="worst")
    assert target.evaluate([FULL, SHORT]).loglik_per_rep.tolist() == [0.0, -math.inf]
    assert np.isfinite(seen[0]).all()
    with pytest.raises(BadOutputError):
        target.evaluate([output(day=[1, 2, 3, 4], y=[1, 2, 3, math.nan])])
    strict = LikelihoodTarget("t", "out", OBSERVED, ExactJoin("day"), mine)
    with pytest.raises(AlignmentError):
        strict.evaluate([SHORT])


@pytest.mark.parametrize(
    ("kept", "words"),
    [("rows", "2 replicates of 3 rows; 2 of 4"), ("replicates", "1 replicates of 4 rows; 2 of 4")],
)
def test_a_users_strategy_that_loses_rows_is_refused(kept: str, words: str) -> None:
    """Nothing is scored on fewer rows than were observed, whoever aligned them."""

    class Lossy:
        on = ("day",)

        def align(self, observed: pl.DataFrame, simulated: Any) -> AlignedData:
            data = ExactJoin("day").align(observed, simulated).data
            chosen = pl.col("day") < 4 if kept == "rows" else pl.col("__replicate") == 0
            return AlignedData(data.filter(chosen), ["day"], "__replicate")

    target = LossTarget("cases", "out", OBSERVED, Lossy(), annealed_mse("y"))  # type: ignore[arg-type]
    with pytest.raises(AlignmentError, match=f"target cases, .*Lossy gives {words}") as caught:
        target.evaluate([FULL, FULL])
    assert caught.value.reason == "COVERAGE"


def test_errors_of_evaluators_say_where() -> None:
    def broken(_aligned: Any) -> Any:
        return np.array([0.0, math.nan])

    target = LikelihoodTarget("t", "out", OBSERVED, ExactJoin("day"), broken)
    with pytest.raises(EvaluationError, match=r"target t, output out, .*1 \(seed 2\): broken"):
        target.evaluate([FULL, FULL], seeds=[1, 2])


def test_several_outputs_are_stacked() -> None:
    north = pl.DataFrame({"day": [1, 2], "y": [1.0, 2.0]})
    south = pl.DataFrame({"y": [3, 5], "day": [3, 4]})
    target = LossTarget("t", ["north", "south"], OBSERVED, ExactJoin("day"), annealed_mse("y"))
    assert target.model_output == ["north", "south"]
    assert target.evaluate([{"north": north, "south": south}]).loss == pytest.approx(0.25)
    with pytest.raises(AlignmentError, match="have different columns"):
        target.evaluate([{"north": north, "south": south.rename({"y": "x"})}])


def test_no_replicates() -> None:
    with pytest.raises(ValueError, match="no simulated replicates"):
        loss().evaluate([])
    with pytest.raises(TypeError, match="list of replicates"):
        loss().evaluate(FULL)  # type: ignore[arg-type]


# -- scalars ---------------------------------------------------------------------------------------


def test_scalar_target() -> None:
    outputs = [{"summary": frame(peak=[day])} for day in (5.0, 7.0)]
    squared = scalar_target("peak", "summary", "peak", 6)
    assert isinstance(squared, LossTarget)
    assert squared.evaluate(outputs).loss == 1.0
    normal = scalar_target("peak", "summary", "peak", 6.0, sd=2.0, weight=0.5)
    assert isinstance(normal, LikelihoodTarget)
    assert normal.weight == 0.5
    expected = -math.log(2) - 0.5 * math.log(2 * math.pi) - 1 / 8
    assert normal.evaluate(outputs).loglik_per_rep == pytest.approx([expected] * 2)


def test_sd_per_metric_from_the_data() -> None:
    observed = frame(metric=["a", "b"], value=[1.0, 2.0], sd=[1.0, 2.0])
    target = LikelihoodTarget(
        "t", "out", observed, MetricAlignment(), normal_loglik_per_rep("value", "sd")
    )
    value = target.evaluate([output(a=[2.0], b=[4.0])]).loglik_per_rep[0]
    assert value == pytest.approx(-1.0 - math.log(2) - math.log(2 * math.pi))


def test_a_missing_metric_follows_the_coverage_policy() -> None:
    target = LossTarget(
        "t",
        "out",
        {"a": 1.0, "b": 2.0},
        MetricAlignment(missing="nan"),
        annealed_mse("value"),
        coverage="worst",
    )
    assert target.evaluate([output(a=[1.0])]).loss == math.inf


# -- sets ------------------------------------------------------------------------------------------


def test_loss_set_sums_weighted_losses() -> None:
    targets = LossTargetSet(
        [loss(evaluator=annealed_mse("y", 2.0)), loss(evaluator=annealed_mse("y")).renamed("b")],
        name="all",
    )
    result = targets.evaluate([FULL, FULL], seeds=[1, 2], metadata={"run": 3})
    assert result.total_loss == pytest.approx(0.75)
    assert result.per_target_loss() == {"cases/annealed_mse[y]": 0.25, "b/annealed_mse[y]": 0.25}
    assert result.per_target_weighted_loss()["cases/annealed_mse[y]"] == 0.5
    assert result.seeds == (1, 2)
    assert result.as_dict()["metadata"] == {"run": 3}
    assert result.to_dataframe()["target"].to_list() == ["cases", "b"]
    assert LossTargetSet([loss()]).evaluate([FULL]).per_target_loss() == {"annealed_mse[y]": 0.25}
    assert LossTargetSet([]).evaluate([FULL]).total_loss == 0.0
    assert LossTargetSet([]).evaluate([FULL]).to_dataframe().height == 0


def test_likelihood_set_is_joint() -> None:
    targets = LikelihoodTargetSet([loglik(), loglik(weight=2.0).renamed("b")])
    result = targets.evaluate([FULL, FULL])
    single = loglik().evaluate([FULL]).loglik_per_rep[0]
    assert result.log_marginal == pytest.approx(3 * single)
    assert set(result.as_dict()["per_target"]) == {"cases/poisson", "b/poisson"}
    with pytest.raises(ValueError, match="No likelihood targets provided"):
        LikelihoodTargetSet([]).evaluate([FULL])


def test_names_in_a_set_are_distinct() -> None:
    with pytest.raises(ValueError, match="two targets are named 'cases'"):
        LossTargetSet([loss(), loss()])


# -- references ------------------------------------------------------------------------------------


def _decorated(**metadata: Any) -> Any:
    def make() -> LikelihoodTarget:
        return loglik()

    make._target_metadata = metadata  # type: ignore[attr-defined]
    return make


def test_name_and_weight_of_the_decorator_win() -> None:
    target = make_target(_decorated(name="weekly", weight=0.25))
    assert (target.name, target.weight) == ("weekly", 0.25)
    assert make_target(_decorated()).name == "cases"
    assert make_target(loglik()).name == "cases"


def test_what_is_no_target() -> None:
    with pytest.raises(TypeError, match="is a int, not a target"):
        make_target(3)
    with pytest.raises(TypeError, match="returned a int, not a target"):
        make_target(lambda: 3)
    with pytest.raises(NotFound, match=r"needs arguments \(data_paths\)"):
        make_target(lambda data_paths: data_paths)


def test_references_sets_and_objects_in_one_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_reference_targets.py").write_text(
        "import modelops_calabaria as cb\n"
        "@cb.calibration_target(model_output='out')\n"
        "def from_file():\n"
        "    return cb.scalar_target('peak', 'out', 'peak', 3.0)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        target = load_target("my_reference_targets:from_file")
        assert target.name == "from_file"
        found = resolve_targets(
            ["my_reference_targets:from_file", LossTargetSet([loss()]), _decorated(name="c")]
        )
        assert [item.name for item in found] == ["from_file", "cases", "c"]
    finally:
        sys.modules.pop("my_reference_targets", None)


def test_targets_and_results_travel() -> None:
    import copy
    import pickle

    for target in (loss(), loglik(weight=0.5), scalar_target("peak", "out", "y", 3.0)):
        again = pickle.loads(pickle.dumps(target))
        assert (again.name, again.weight, again.family) == (
            target.name,
            target.weight,
            target.family,
        )
        assert again.observed.equals(target.observed)
        assert copy.deepcopy(target).n_observed == target.n_observed
    result = loss().evaluate([FULL])
    assert pickle.loads(pickle.dumps(result)).loss == result.loss
    with pytest.raises(AttributeError):
        loss().coverage = "zero"  # type: ignore[misc]


def test_errors_travel() -> None:
    import pickle

    with pytest.raises(AlignmentError) as caught:
        loss().evaluate([SHORT], seeds=[4])
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert (again.reason, again.seed, again.hint) == ("COVERAGE", 4, caught.value.hint)
