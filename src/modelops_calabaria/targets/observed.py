"""What every target shares: observed rows, the outputs they are compared with, the coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, TypeVar

import polars as pl

from modelops_calabaria.alignment.coverage import POLICIES, Covered, apply_coverage
from modelops_calabaria.alignment.errors import AlignmentError, ObservedDataError, ScoringError
from modelops_calabaria.alignment.strategy import (
    AlignmentStrategy,
    align_compared,
    read_observed,
)
from modelops_calabaria.evaluation.evaluator import LikelihoodEvaluator, LossEvaluator
from modelops_calabaria.evaluation.quantities import param_names
from modelops_contracts.errors import InvalidType, InvalidValue, ModelOpsError, nearest

__all__ = [
    "ObservedTarget",
    "SimOutputs",
    "TargetKind",
    "changed",
    "prepare_observed",
    "require_replicates",
]

SimOutputs = Sequence[Mapping[str, pl.DataFrame]]
TargetKind = Literal["loss", "loglik"]
T = TypeVar("T", bound="ObservedTarget")


@dataclass(frozen=True, slots=True, eq=False)
class ObservedTarget:
    """What both kinds of target share. ``observed`` holds the rows that are compared."""

    name: str
    outputs: tuple[str, ...]
    data: pl.DataFrame
    observed: pl.DataFrame
    alignment: AlignmentStrategy
    coverage: str
    n_missing_obs: int
    evaluator: LossEvaluator | LikelihoodEvaluator

    def _fill(self, parts: Mapping[str, Any], **others: Any) -> None:
        """Set the fields: what :func:`prepare_observed` gave, and what is a kind's own."""
        for key, value in {**parts, **others}.items():
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

    def renamed(self, name: str) -> Self:
        return changed(self, name=name)

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


def prepare_observed(
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


def changed(target: T, **changes: Any) -> T:
    """A copy with other fields; observed data is not read and checked again."""
    copy: T = object.__new__(type(target))
    for item in fields(target):
        object.__setattr__(copy, item.name, changes.get(item.name, getattr(target, item.name)))
    return copy


def require_replicates(sim_outputs: SimOutputs, name: str) -> None:
    """Raises InvalidType for outputs that are not in a list, InvalidValue for an empty one."""
    if isinstance(sim_outputs, Mapping):
        raise InvalidType(
            f"target {name}: evaluate takes a list of replicates, each a mapping of outputs",
            hint="wrap it: evaluate([outputs])",
        )
    if not len(sim_outputs):
        raise InvalidValue(f"target {name}: there are no simulated replicates")
