"""Running a study in this process: parameter sets times replicates, with tables to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.calibration.local import (
    Failure,
    InProcessProvider,
    LocalModel,
    Simulating,
)
from modelops_calabaria.calibration.remote import ServiceModel
from modelops_calabaria.sampling.base import SamplingStrategy
from modelops_calabaria.tables import seed_column
from modelops_contracts.digests import common_study_seed, study_seed
from modelops_contracts.errors import InvalidInput
from modelops_contracts.ports import Reporter, SimulationService
from modelops_contracts.study import SimulationStudy
from modelops_contracts.types import Evaluation, UniqueParameterSet

if TYPE_CHECKING:
    import polars as pl

__all__ = ["StudyResult", "StudyRow", "run_rows", "simulating", "study_rows"]


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One parameter set with the seeds of its replicates."""

    params: UniqueParameterSet
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Tables of a study. ``outputs`` maps an output to its frame (param_id, scenario, replicate,
    seed, then the model's columns); ``evaluations`` has a row per parameter set and scenario;
    ``failures`` one per failed simulation; ``parameters`` one per parameter set."""

    parameters: pl.DataFrame
    outputs: Mapping[str, pl.DataFrame]
    evaluations: pl.DataFrame
    failures: pl.DataFrame

    def differences(
        self, to: str = "baseline", *, on: Sequence[str] | None = None
    ) -> dict[str, pl.DataFrame]:
        """Per output, every scenario minus the scenario ``to``, replicate by replicate.

        Rows are paired by param_id, replicate and the columns ``on`` that the output has; all other
        numeric columns are subtracted. Without ``on`` the keys are the columns that hold no numbers
        and as many whole-number columns, from the left, as it takes to tell the rows of one
        simulation apart. A row without partner stays, with null differences. Raises InvalidInput
        when ``to`` was not run or the keys do not tell rows apart.
        """
        return {name: _difference(frame, to, name, on) for name, frame in self.outputs.items()}


@dataclass(slots=True)
class _Tables:
    """The tables of one output; ``owners[k]`` is the number of the run that made ``frames[k]``."""

    frames: list[pl.DataFrame] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)

    def labelled(self, runs: Sequence[tuple[str, str, int, int]]) -> pl.DataFrame:
        """All rows under param_id, scenario, replicate, seed and the model's columns."""
        import numpy as np
        import polars as pl

        try:
            stacked = pl.concat(self.frames, how="vertical")
        except pl.exceptions.PolarsError:  # the model's tables differ in columns or their types
            stacked = pl.concat(self.frames, how="diagonal_relaxed")
        heights = [frame.height for frame in self.frames]
        of_row = pl.Series("owner", np.repeat(np.array(self.owners, dtype=np.int64), heights))
        param_ids, scenarios, replicates, seeds = zip(*runs, strict=True)
        labels = [
            pl.Series("param_id", param_ids).gather(of_row),
            pl.Series("scenario", scenarios).gather(of_row),
            pl.Series("replicate", replicates, dtype=pl.Int64).gather(of_row),
        ]
        if "seed" not in stacked.columns:
            stacked = stacked.with_columns(seed_column(seeds).gather(of_row))
        return stacked.select(*labels, "seed", pl.exclude("seed"))


@dataclass(slots=True)
class _Collected:
    """What a study has simulated; ``runs`` are (param_id, scenario, replicate, seed)."""

    runs: list[tuple[str, str, int, int]] = field(default_factory=list)
    outputs: defaultdict[str, _Tables] = field(default_factory=lambda: defaultdict(_Tables))
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)


def study_rows(
    model: BaseModel,
    design: object,
    *,
    n_replicates: int,
    fixed: Mapping[str, Any],
    crn: str,
    base_seed: int,
) -> list[StudyRow]:
    """The rows a design asks for, complete, normalised and each one once.

    ``design`` is a list of mappings, a frame, a sampler whose size follows from itself, a pair
    (sampler, n), or a SimulationStudy, whose own seeds and number of replicates then hold.
    """
    if crn not in {"none", "per-replicate-index"}:
        raise InvalidInput(f"crn must be none or per-replicate-index, not {crn!r}")
    if n_replicates < 1:
        raise InvalidInput(f"n_replicates must be at least 1, not {n_replicates}")
    if isinstance(design, SimulationStudy):
        return _rows_of_study(model, design, fixed)
    rows: dict[str, StudyRow] = {}
    for values in _mappings(design):
        params = complete(model, values, fixed)
        seeds = tuple(
            study_seed(params.param_id, i) if crn == "none" else common_study_seed(base_seed, i)
            for i in range(n_replicates)
        )
        rows.setdefault(params.param_id, StudyRow(params, seeds))
    if not rows:
        raise InvalidInput("the design has no rows")
    return list(rows.values())


def complete(
    model: BaseModel, values: Mapping[str, Any], fixed: Mapping[str, Any]
) -> UniqueParameterSet:
    """All parameters of a model, checked: given, else fixed, else default."""
    from modelops_calabaria.parameters.types import ParameterSet

    both = sorted(set(values) & set(fixed))
    if both:
        raise InvalidInput(f"{', '.join(both)}: both in the design and fixed", hint="choose one")
    checked = ParameterSet(model.space, {**model.space.default_values(), **fixed, **values})
    return UniqueParameterSet.from_dict(checked.to_dict())


def _rows_of_study(
    model: BaseModel, study: SimulationStudy, fixed: Mapping[str, Any]
) -> list[StudyRow]:
    rows = []
    for entry in study.parameter_sets:
        params = complete(model, entry.params, fixed)
        rows.append(StudyRow(params, study.seeds_of(entry, params.param_id)))
    return rows


def _mappings(design: object) -> Iterable[Mapping[str, Any]]:
    if isinstance(design, tuple) and len(design) == 2 and isinstance(design[0], SamplingStrategy):
        return design[0].sample(design[1])
    if isinstance(design, SamplingStrategy):
        return _whole_design(design)
    if hasattr(design, "to_dicts"):
        return list(design.to_dicts())
    if hasattr(design, "to_dict") and hasattr(design, "columns"):
        return list(design.to_dict("records"))
    if isinstance(design, Sequence) and all(isinstance(row, Mapping) for row in design):
        return list(design)
    raise InvalidInput(
        "a design is a list of mappings, a frame, a sampler or a study, "
        f"not {type(design).__name__}"
    )


def _whole_design(design: SamplingStrategy) -> Iterable[Mapping[str, Any]]:
    size = getattr(design, "grid_size", None)
    if size is None:
        raise InvalidInput(
            f"{type(design).__name__} has no size of its own",
            hint="give design.sample(n), or the pair (design, n)",
        )
    return design.sample(size())


# ---------------------------------------------------------------- running


def run_rows(
    model: BaseModel,
    rows: Sequence[StudyRow],
    *,
    scenarios: Sequence[str],
    targets: Sequence[Any],
    outputs: Sequence[str] | None,
    config: Mapping[str, Any] | None,
    reporter: Reporter,
    service: SimulationService | None = None,
) -> StudyResult:
    """Simulate every row in every scenario; without a service one after the other."""
    kept = _Collected()
    reporter.start("study", len(rows) * len(scenarios))
    for scenario in scenarios:
        remember = _worth_remembering(rows, scored=bool(targets) or service is not None)
        local = simulating(
            service, model, scenario, config, remember=remember, with_seed=bool(targets)
        )
        scorer = InProcessProvider(local, targets) if targets else None
        wanted = outputs if scorer is None else None
        for coming in rows[:_AHEAD]:
            local.prefetch(coming.params, coming.seeds, wanted)
        for number, row in enumerate(rows):
            for coming in rows[number + _AHEAD : number + _AHEAD + 1]:
                local.prefetch(coming.params, coming.seeds, wanted)
            n_failed = _run_row(local, scorer, row, outputs, kept)
            reporter.advance(1, failed=1 if n_failed else 0)
    reporter.finish()
    return _study_result(rows, kept)


def _worth_remembering(rows: Sequence[StudyRow], *, scored: bool) -> int:
    """How many simulations will be asked for again.

    All, where parameter sets repeat; else those of one set, which its evaluation reads again and
    a service runs ahead; else none.
    """
    if len({row.params.param_id for row in rows}) < len(rows):
        return sum(len(row.seeds) for row in rows)
    return max(len(row.seeds) for row in rows) if scored else 0


#: Parameter sets a service is told of before they are needed.
_AHEAD = 64


def simulating(
    service: SimulationService | None,
    model: BaseModel,
    scenario: str,
    config: Mapping[str, Any] | None,
    *,
    remember: int = 4096,
    with_seed: bool = True,
) -> Simulating:
    """The model in this process, or through a service, whose tables always have their seed."""
    if service is None:
        return LocalModel(model, scenario, config, remember=remember, with_seed=with_seed)
    return ServiceModel(service, model, scenario, config, remember=remember)


def _run_row(
    local: Simulating,
    scorer: InProcessProvider | None,
    row: StudyRow,
    outputs: Sequence[str] | None,
    kept: _Collected,
) -> int:
    n_failed = 0
    for replicate, seed in enumerate(row.seeds):
        run = local.run(row.params, seed, outputs if scorer is None else None)
        if isinstance(run, Failure):
            n_failed += 1
            kept.failures.append(_failure(local.scenario, row, replicate, run))
            continue
        owner = len(kept.runs)
        kept.runs.append((row.params.param_id, local.scenario, replicate, seed))
        for name, table in run.items():
            if outputs is None or name in outputs:
                tables = kept.outputs[name]
                tables.frames.append(table)
                tables.owners.append(owner)
    if scorer is not None:
        evaluation = scorer.evaluate(row.params, row.seeds)
        kept.evaluations.append(_evaluation(local.scenario, evaluation))
    return n_failed


def _failure(scenario: str, row: StudyRow, replicate: int, failure: Failure) -> dict[str, Any]:
    return {
        "param_id": row.params.param_id,
        "scenario": scenario,
        "replicate": replicate,
        "seed": row.seeds[replicate],
        **failure.to_json(),
    }


def _evaluation(scenario: str, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "param_id": evaluation.param_id,
        "scenario": scenario,
        "objective": evaluation.objective,
        "objective_se": evaluation.objective_se,
        "ess": evaluation.ess,
        "n_replicates": len(evaluation.seeds),
        "reason": evaluation.reason,
        **{f"target_{score.target}": score.value for score in evaluation.scores},
    }


def _study_result(rows: Sequence[StudyRow], kept: _Collected) -> StudyResult:
    import polars as pl

    labels = {"param_id": pl.String, "scenario": pl.String}
    failure = {
        **labels,
        "replicate": pl.Int64,
        "seed": pl.UInt64,
        "error_type": pl.String,
        "message": pl.String,
        "traceback": pl.String,
    }
    return StudyResult(
        parameters=pl.DataFrame([_parameter_row(row) for row in rows], infer_schema_length=None),
        outputs={name: tables.labelled(kept.runs) for name, tables in kept.outputs.items()},
        evaluations=pl.DataFrame(kept.evaluations, infer_schema_length=None)
        if kept.evaluations
        else pl.DataFrame(schema={**labels, "objective": pl.Float64}),
        failures=pl.DataFrame(kept.failures, schema=failure),
    )


def _parameter_row(row: StudyRow) -> dict[str, Any]:
    named = {f"param_{name}": value for name, value in row.params.params.items()}
    return {"param_id": row.params.param_id, **named}


def _difference(frame: pl.DataFrame, to: str, name: str, on: Sequence[str] | None) -> pl.DataFrame:
    import polars as pl

    known = frame["scenario"].unique(maintain_order=True).to_list()
    if to not in known:
        raise InvalidInput(
            f"scenario {to!r} was not run; output {name} has {', '.join(known)}",
            hint="name a scenario of this study",
        )
    keys = [*_PAIRED, *_row_keys(frame, name, on)]
    values = [c for c, t in frame.schema.items() if t.is_numeric() and c not in {*keys, "seed"}]
    # Signed and wide: counts are unsigned in many models, and their differences are not.
    wide = {c: pl.Float64 if frame.schema[c].is_float() else pl.Int64 for c in values}
    cast = frame.select("scenario", *keys, *values).cast(wide)  # type: ignore[arg-type]
    reference = cast.filter(pl.col("scenario") == to).drop("scenario")
    pieces = [
        cast.filter(pl.col("scenario") == scenario)
        .drop("scenario")
        .join(
            reference,
            on=keys,
            how="full",
            coalesce=True,
            nulls_equal=True,
            suffix="__to",
            maintain_order="left_right",
        )
        .select(
            pl.lit(scenario).alias("scenario"),
            *keys,
            *((pl.col(c) - pl.col(f"{c}__to")).alias(c) for c in values),
        )
        for scenario in known
        if scenario != to
    ]
    return pl.concat(pieces) if pieces else cast.clear()


_PAIRED = ("param_id", "replicate")


def _row_keys(frame: pl.DataFrame, name: str, on: Sequence[str] | None) -> list[str]:
    """Columns that tell apart the rows of one simulation; see ``StudyResult.differences``."""
    run = ["scenario", *_PAIRED]
    own = {c: t for c, t in frame.schema.items() if c not in {*run, "seed"}}
    keys = [c for c, t in own.items() if not t.is_numeric()] if on is None else []
    keys += [c for c in on or () if c in own]
    whole = [c for c, t in own.items() if t.is_integer()] if on is None else []
    while frame.select(*run, *keys).is_duplicated().any():
        if not whole:
            raise InvalidInput(
                f"output {name}: {', '.join(keys) or 'no column'} does not tell its rows apart",
                hint="name the key columns: differences(to=..., on=[...])",
            )
        keys.append(whole.pop(0))
    return [c for c in own if c in keys]
