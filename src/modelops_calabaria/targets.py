"""Targets: observed data, one model output, an alignment, an evaluator and a coverage policy."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData
from modelops_calabaria.alignment.coverage import POLICIES, Covered, apply_coverage
from modelops_calabaria.alignment.errors import (
    AlignmentError,
    ObservedDataError,
    ScoringError,
)
from modelops_calabaria.alignment.metric import MetricAlignment
from modelops_calabaria.alignment.strategy import (
    AlignmentStrategy,
    align_compared,
    read_observed,
)
from modelops_calabaria.evaluation.evaluator import (
    LikelihoodEvaluator,
    LoglikFunction,
    LossEvaluator,
    annealed_mse,
    check_weight,
    with_weight,
)
from modelops_calabaria.evaluation.likelihoods import normal_loglik_per_rep
from modelops_calabaria.evaluation.quantities import Quantity, param_names
from modelops_calabaria.evaluation.replicates import Estimate, logmeanexp
from modelops_calabaria.evaluation.results import (
    LikelihoodEvaluationResult,
    LossEvaluationResult,
    TargetLikelihoodResult,
    TargetLossResult,
)
from modelops_contracts.errors import InvalidType, InvalidValue, ModelOpsError, NotFound, nearest

SimOutputs = Sequence[Mapping[str, pl.DataFrame]]
TargetKind = Literal["loss", "loglik"]
T = TypeVar("T", bound="_ObservedTarget")


@dataclass(frozen=True, slots=True, eq=False)
class _ObservedTarget:
    """What both kinds of target share. ``observed`` holds the rows that are compared."""

    name: str
    outputs: tuple[str, ...]
    data: pl.DataFrame
    observed: pl.DataFrame
    alignment: AlignmentStrategy
    coverage: str
    n_missing_obs: int

    @property
    def model_output(self) -> str | list[str]:
        return self.outputs[0] if len(self.outputs) == 1 else list(self.outputs)

    @property
    def n_observed(self) -> int:
        return self.observed.height

    def align(
        self,
        sim_outputs: SimOutputs,
        simulated_columns: Sequence[str] | None,
        seeds: Sequence[int] | None = None,
    ) -> Covered:
        """Aligned data after the coverage policy; errors name target, output, replicate, seed."""
        tables = [self.table(outputs, r) for r, outputs in enumerate(sim_outputs)]
        try:
            aligned = align_compared(self.alignment, self.observed, tables, simulated_columns)
            return apply_coverage(
                aligned, self.coverage, simulated_columns, n_missing_obs=self.n_missing_obs
            )
        except ScoringError as error:
            raise self.located(error, seeds) from error

    def located(self, error: ScoringError, seeds: Sequence[int] | None) -> ScoringError:
        return error.located(target=self.name, output=", ".join(self.outputs), seeds=seeds)

    def table(self, outputs: Mapping[str, pl.DataFrame], replicate: int) -> pl.DataFrame:
        """The table of one replicate that is compared; several outputs are stacked."""
        tables = []
        for name in self.outputs:
            if name not in outputs:
                raise _unknown_output(self.name, name, list(outputs))
            tables.append(outputs[name])
        if len(tables) == 1:
            return tables[0]
        return _stack_outputs(tables, self.outputs, replicate)


def _unknown_output(target: str, name: str, known: list[str]) -> ModelOpsError:
    close = nearest(name, known)
    return InvalidValue(
        f"target {target}: the model has no output {name!r}; it has {', '.join(known) or 'none'}",
        hint=f"did you mean {close[0]!r}?" if close else "change model_output of the target",
    )


def _stack_outputs(
    tables: Sequence[pl.DataFrame], names: Sequence[str], replicate: int
) -> pl.DataFrame:
    first = tables[0].columns
    for table, name in zip(tables, names, strict=True):
        if set(table.columns) != set(first):
            raise AlignmentError(
                f"outputs {names[0]!r} ({', '.join(first)}) and {name!r} "
                f"({', '.join(table.columns)}) have different columns",
                replicate=replicate,
                reason="BAD_OUTPUT",
                hint="outputs of one target are stacked and need the same columns",
            )
    try:
        return pl.concat([table.select(first) for table in tables], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise AlignmentError(
            f"outputs {', '.join(names)} cannot be stacked: {error}",
            replicate=replicate,
            reason="BAD_OUTPUT",
        ) from error


def _prepare(
    name: str,
    model_output: str | Sequence[str],
    data: object,
    alignment: AlignmentStrategy,
    evaluator: LossEvaluator | LikelihoodEvaluator,
    coverage: str,
) -> dict[str, Any]:
    """Read and check everything about a target that no parameter set can change."""
    if not name:
        raise InvalidValue("a target needs a name")
    outputs = (model_output,) if isinstance(model_output, str) else tuple(model_output)
    if not outputs or not all(outputs):
        raise InvalidValue(f"target {name}: model_output must name at least one output")
    if coverage not in POLICIES:
        raise InvalidValue(
            f"target {name}: coverage must be one of {', '.join(POLICIES)}; got {coverage!r}"
        )
    try:
        frame = read_observed(alignment, data)
        observed = _drop_missing(frame, evaluator.observed_columns)
        evaluator.check_observed(observed)
    except (ObservedDataError, ScoringError) as error:
        raise type(error)(f"target {name}: {error}", hint=error.hint) from error
    return {
        "name": name,
        "outputs": outputs,
        "data": frame,
        "observed": observed,
        "alignment": alignment,
        "coverage": coverage,
        "n_missing_obs": frame.height - observed.height,
    }


def _drop_missing(frame: pl.DataFrame, columns: Sequence[str] | None) -> pl.DataFrame:
    """Without the rows in which a compared column is null or NaN: nothing was observed there."""
    present = [name for name in columns or () if name in frame.columns]
    kept = frame
    for name in present:
        gap = pl.col(name).is_null()
        if frame.schema[name].is_float():
            gap |= pl.col(name).is_nan()
        kept = kept.filter(~gap)
    if frame.height and not kept.height:
        raise ObservedDataError(
            f"every observed row lacks a value of {', '.join(present)}",
            hint="check the column names and the file",
        )
    return kept


@dataclass(frozen=True, slots=True, eq=False, init=False)
class LossTarget(_ObservedTarget):
    """A target scored by a loss.

    ``data`` is a polars or pandas frame, a mapping of columns, or the path of a csv or parquet.
    Rows in which a compared column is missing are left out for every parameter set and counted.
    ``coverage`` says what an observed row without simulated partner means: "error", "worst" (the
    replicate's loss is infinite) or "zero" (the simulated value is 0).
    """

    evaluator: LossEvaluator
    kind: ClassVar[TargetKind] = "loss"

    def __init__(
        self,
        name: str,
        model_output: str | Sequence[str],
        data: object,
        alignment: AlignmentStrategy,
        evaluator: LossEvaluator,
        *,
        coverage: str = "error",
    ) -> None:
        given: object = evaluator
        if not isinstance(given, LossEvaluator):
            raise InvalidType(f"target {name}: evaluator must be a LossEvaluator, got {given!r}")
        parts = _prepare(name, model_output, data, alignment, evaluator, coverage)
        for key, value in {**parts, "evaluator": evaluator}.items():
            object.__setattr__(self, key, value)

    @property
    def weight(self) -> float:
        return self.evaluator.weight

    @property
    def columns(self) -> tuple[str, ...]:
        return self.evaluator.columns

    @property
    def family(self) -> str:
        return self.evaluator.label

    @property
    def parameters(self) -> tuple[str, ...]:
        """Model parameters the evaluator refers to."""
        return param_names(self.evaluator)

    def reweighted(self, weight: float) -> LossTarget:
        return _with(self, evaluator=with_weight(self.evaluator, weight))

    def renamed(self, name: str) -> LossTarget:
        return _with(self, name=name)

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        params: Mapping[str, Any] | None = None,
        *,
        seeds: Sequence[int] | None = None,
    ) -> TargetLossResult:
        """The loss over all replicates; infinite when coverage="worst" meets a short replicate."""
        _require_replicates(sim_outputs, self.name)
        covered = self.align(sim_outputs, self.evaluator.simulated_columns, seeds)
        scorable = np.flatnonzero(covered.scorable)
        if covered.scorable.all():
            return replace(self._score(covered.aligned, params, seeds), target_name=self.name)
        per_replicate = np.full(len(covered.scorable), np.inf)
        if len(scorable):
            part = self._score(covered.aligned.take_replicates(scorable), params, seeds)
            assert part.per_replicate is not None
            per_replicate[scorable] = part.per_replicate
        return TargetLossResult(
            name=self.family,
            loss=np.inf,
            weight=self.weight,
            weighted_loss=np.inf if self.weight else 0.0,
            aligned_data=covered.aligned,
            per_replicate=per_replicate,
            target_name=self.name,
        )

    def _score(
        self, aligned: AlignedData, params: Mapping[str, Any] | None, seeds: Sequence[int] | None
    ) -> TargetLossResult:
        try:
            return self.evaluator.evaluate(aligned, params)
        except ScoringError as error:
            raise self.located(error, seeds) from error


@dataclass(frozen=True, slots=True, eq=False, init=False)
class LikelihoodTarget(_ObservedTarget):
    """A target scored by a log-likelihood.

    ``evaluator`` is a LikelihoodEvaluator, or any function ``f(aligned) -> (R,)``. A ``weight``
    other than 1 is a temper exponent. For data and coverage see LossTarget; under "worst" a short
    replicate has log-likelihood -inf.
    """

    evaluator: LikelihoodEvaluator
    weight: float
    kind: ClassVar[TargetKind] = "loglik"

    def __init__(
        self,
        name: str,
        model_output: str | Sequence[str],
        data: object,
        alignment: AlignmentStrategy,
        evaluator: LikelihoodEvaluator | LoglikFunction,
        *,
        coverage: str = "error",
        weight: float = 1.0,
    ) -> None:
        wrapped = _as_likelihood(evaluator, name)
        parts = _prepare(name, model_output, data, alignment, wrapped, coverage)
        checked = check_weight(weight, f"target {name}")
        for key, value in {**parts, "evaluator": wrapped, "weight": checked}.items():
            object.__setattr__(self, key, value)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.evaluator.columns

    @property
    def family(self) -> str:
        return self.evaluator.label

    @property
    def parameters(self) -> tuple[str, ...]:
        """Model parameters the evaluator refers to."""
        return param_names(self.evaluator)

    def reweighted(self, weight: float) -> LikelihoodTarget:
        return _with(self, weight=check_weight(weight, f"target {self.name}"))

    def renamed(self, name: str) -> LikelihoodTarget:
        return _with(self, name=name)

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        params: Mapping[str, Any] | None = None,
        *,
        seeds: Sequence[int] | None = None,
    ) -> TargetLikelihoodResult:
        """Log-likelihoods (R,); -inf for replicates that coverage="worst" finds short."""
        _require_replicates(sim_outputs, self.name)
        covered = self.align(sim_outputs, self.evaluator.simulated_columns, seeds)
        scorable = np.flatnonzero(covered.scorable)
        try:
            if covered.scorable.all():
                result = self.evaluator.evaluate(covered.aligned, params)
                return replace(result, target_name=self.name)
            loglik = np.full(len(covered.scorable), -np.inf)
            if len(scorable):
                part = covered.aligned.take_replicates(scorable)
                loglik[scorable] = self.evaluator.evaluate(part, params).loglik_per_rep
        except ScoringError as error:
            raise self.located(error, seeds) from error
        return TargetLikelihoodResult(self.family, loglik, covered.aligned, target_name=self.name)

    def signal(
        self, result: TargetLikelihoodResult, params: Mapping[str, Any] | None = None
    ) -> Estimate:
        """Log-likelihood of the mean of the replicates; -inf when one of them is short."""
        aligned = result.aligned_data
        assert aligned is not None
        coverage = aligned.coverage
        if coverage is not None and coverage.n_unmatched > coverage.n_imputed:
            return Estimate(-np.inf, None)
        return self.evaluator.signal(aligned, params)


Target = LossTarget | LikelihoodTarget


def _as_likelihood(evaluator: object, name: str) -> LikelihoodEvaluator:
    if isinstance(evaluator, LikelihoodEvaluator):
        return evaluator
    if isinstance(evaluator, LossEvaluator):
        raise InvalidType(
            f"target {name}: a LossEvaluator is no log-likelihood", hint="use LossTarget"
        )
    if callable(evaluator):
        return LikelihoodEvaluator(evaluator)
    raise InvalidType(f"target {name}: {evaluator!r} is no log-likelihood function")


def _with(target: T, **changes: Any) -> T:
    """A copy with other fields; observed data is not read and checked again."""
    copy: T = object.__new__(type(target))
    for item in fields(target):
        object.__setattr__(copy, item.name, changes.get(item.name, getattr(target, item.name)))
    return copy


def _require_replicates(sim_outputs: SimOutputs, name: str) -> None:
    if isinstance(sim_outputs, Mapping):
        raise InvalidType(
            f"target {name}: evaluate takes a list of replicates, each a mapping of outputs",
            hint="wrap it: evaluate([outputs])",
        )
    if not len(sim_outputs):
        raise InvalidValue(f"target {name}: there are no simulated replicates")


def scalar_target(
    name: str,
    model_output: str | Sequence[str],
    metric: str,
    observed: float,
    *,
    sd: Quantity | None = None,
    weight: float = 1.0,
) -> Target:
    """A target of one number: normal likelihood with ``sd``, else squared error of each replicate.

    The output is a table with a column named ``metric``, or with columns metric and value.
    """
    alignment = MetricAlignment(metric)
    if sd is None:
        evaluator = annealed_mse("value", weight)
        return LossTarget(name, model_output, observed, alignment, evaluator)
    family = normal_loglik_per_rep("value", sd)
    return LikelihoodTarget(name, model_output, observed, alignment, family, weight=weight)


# -- sets ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, init=False)
class LossTargetSet:
    """Loss targets with the weighted sum of their losses as total."""

    targets: tuple[LossTarget, ...]
    name: str | None

    def __init__(self, targets: Iterable[LossTarget], *, name: str | None = None) -> None:
        object.__setattr__(self, "targets", _distinct(targets))
        object.__setattr__(self, "name", name)

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        seeds: Sequence[int] = (),
        metadata: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> LossEvaluationResult:
        results = tuple(
            target.evaluate(sim_outputs, params, seeds=seeds or None) for target in self.targets
        )
        total = float(sum(result.weighted_loss for result in results))
        return LossEvaluationResult(total, results, tuple(seeds), dict(metadata or {}))


@dataclass(frozen=True, slots=True, init=False)
class LikelihoodTargetSet:
    """Likelihood targets, joined within every replicate and marginalised once."""

    targets: tuple[LikelihoodTarget, ...]
    name: str | None

    def __init__(self, targets: Iterable[LikelihoodTarget], *, name: str | None = None) -> None:
        object.__setattr__(self, "targets", _distinct(targets))
        object.__setattr__(self, "name", name)

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        seeds: Sequence[int] = (),
        metadata: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> LikelihoodEvaluationResult:
        if not self.targets:
            raise InvalidValue("No likelihood targets provided")
        results = tuple(
            target.evaluate(sim_outputs, params, seeds=seeds or None) for target in self.targets
        )
        joint = np.zeros(len(sim_outputs))
        for target, result in zip(self.targets, results, strict=True):
            if target.weight:
                joint = joint + target.weight * result.loglik_per_rep
        log_marginal = logmeanexp(joint).value
        return LikelihoodEvaluationResult(log_marginal, results, tuple(seeds), dict(metadata or {}))


def _distinct(targets: Iterable[Any]) -> tuple[Any, ...]:
    listed = tuple(targets)
    names = [target.name for target in listed]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(
                f"two targets are named {name!r}", hint="give each target its own name"
            )
    return listed


# -- by reference --------------------------------------------------------------------------------


def load_target(reference: str) -> Any:
    """The target object that ``module:function`` or ``path/file.py:function`` makes.

    Name and weight given to the decorator win over those of the object. Raises NotFound or
    ImportError for the reference, InvalidType when what it makes is no target.
    """
    from modelops_calabaria.wire_loader import load_symbol

    return make_target(load_symbol(reference), reference)


def make_target(source: object, reference: str | None = None) -> Any:
    """A target from a target object, a decorated function, or a function without arguments."""
    if is_target(source):
        return source
    label = str(reference or getattr(source, "__name__", repr(source)))
    if not callable(source):
        raise InvalidType(
            f"{label} is a {type(source).__name__}, not a target",
            hint="decorate a function with @calibration_target that returns a target",
        )
    made = _call(source, label)
    if not is_target(made):
        raise InvalidType(
            f"{label} returned a {type(made).__name__}, not a target",
            hint="return a LossTarget or LikelihoodTarget (model_output and evaluate)",
        )
    metadata = getattr(source, "_target_metadata", None) or {}
    return _decorated(made, metadata)


def is_target(value: object) -> bool:
    """Whether a value can be evaluated as a target."""
    return hasattr(value, "model_output") and callable(getattr(value, "evaluate", None))


def _call(source: Callable[..., object], label: str) -> object:
    try:
        needed = [
            name
            for name, parameter in inspect.signature(source).parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        ]
    except ValueError:
        needed = []
    if needed and not hasattr(source, "_original_func"):
        raise NotFound(
            f"{label} needs arguments ({', '.join(needed)}), so it is no target by itself",
            hint="decorate it with @calibration_target(model_output=..., data={...})",
        )
    return source()


def _decorated(target: Any, metadata: Mapping[str, Any]) -> Any:
    name, weight = metadata.get("name"), metadata.get("weight")
    if name and name != getattr(target, "name", None) and hasattr(target, "renamed"):
        target = target.renamed(str(name))
    if weight is not None and hasattr(target, "reweighted"):
        target = target.reweighted(float(weight))
    return target


def resolve_targets(items: Iterable[object]) -> list[Any]:
    """Targets from references, objects, decorated functions and sets, in order, names distinct."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, LossTargetSet | LikelihoodTargetSet):
            found += item.targets
        else:
            found.append(load_target(item) if isinstance(item, str) else make_target(item))
    return found
