"""Studies in a notebook: which rows a design asks for, and the tables that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.sampling.base import SamplingStrategy, whole_number
from modelops_calabaria.sampling.file import FileSampler
from modelops_contracts.digests import common_study_seed, study_seed
from modelops_contracts.errors import InvalidInput
from modelops_contracts.study import SimulationStudy
from modelops_contracts.types import UniqueParameterSet

if TYPE_CHECKING:
    import polars as pl

__all__ = ["StudyResult", "StudyRow", "complete", "study_rows", "varied_names"]


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
    (sampler, n), or a SimulationStudy, whose own seeds and number of replicates then hold. So do
    the seeds of a design file, for the rows that have one.
    """
    if crn not in {"none", "per-replicate-index"}:
        raise InvalidInput(f"crn must be none or per-replicate-index, not {crn!r}")
    whole_number(n_replicates, "n_replicates", least=1)
    if isinstance(design, SimulationStudy):
        return _rows_of_study(model, design, fixed)
    rows: dict[tuple[str, int | None], StudyRow] = {}
    for values, seed in _rows_with_seeds(design):
        params = complete(model, values, fixed)
        row = StudyRow(params, _seeds(params.param_id, seed, n_replicates, crn, base_seed))
        rows.setdefault((params.param_id, seed), row)
    if not rows:
        raise InvalidInput("the design has no rows")
    return list(rows.values())


def _seeds(
    param_id: str, own: int | None, n_replicates: int, crn: str, base_seed: int
) -> tuple[int, ...]:
    """The seed a row brings along, alone; else one per replicate."""
    if own is not None:
        return (own,)
    if crn == "none":
        return tuple(study_seed(param_id, i) for i in range(n_replicates))
    return tuple(common_study_seed(base_seed, i) for i in range(n_replicates))


def varied_names(rows: Sequence[StudyRow]) -> list[str]:
    """Parameters that do not have one and the same value in all rows."""
    first = rows[0].params.params
    return [name for name in first if any(row.params.params[name] != first[name] for row in rows)]


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


def _rows_with_seeds(design: object) -> Iterable[tuple[Mapping[str, Any], int | None]]:
    sampler, n = design if _is_pair(design) else (design, None)
    if isinstance(sampler, FileSampler):
        return zip(sampler.sample(n), sampler.seeds(n), strict=True)
    return ((values, None) for values in _mappings(design))


def _is_pair(design: object) -> TypeGuard[tuple[SamplingStrategy, int]]:
    return (
        isinstance(design, tuple) and len(design) == 2 and isinstance(design[0], SamplingStrategy)
    )


def _mappings(design: object) -> Iterable[Mapping[str, Any]]:
    if _is_pair(design):
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


# ---------------------------------------------------------------- differences


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
