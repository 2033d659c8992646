"""A study: parameter sets of one model to simulate, as it stands in its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelops_contracts.digests import common_study_seed, make_param_id, study_seed
from modelops_contracts.errors import ContractViolationError, InvalidInput, InvalidValue
from modelops_contracts.frozen import FrozenValue, as_seed, read_only
from modelops_contracts.jobs import SimJob, TargetSpec
from modelops_contracts.parameter_set import Scalar, UniqueParameterSet
from modelops_contracts.simulation import SimTask
from modelops_contracts.spec_names import import_path_of, valid_bundle_ref
from modelops_contracts.spec_rules import (
    COUNT,
    MAPPING,
    NAMES,
    NUMBER,
    OBJECT_ENTRYPOINT,
    SCALARS,
    SCENARIO,
    SEED,
    TEXT,
    Choice,
    Each,
    Keys,
    ListOf,
    Mistakes,
    Nullable,
    Rule,
    keys_of,
    ruled,
)

__all__ = [
    "CRN_MODES",
    "DEFAULT_STUDY_SEED",
    "ParameterSetEntry",
    "SimulationStudy",
]

CRN_MODES = ("none", "per-replicate-index")
#: Base seed of common random numbers when a study names none.
DEFAULT_STUDY_SEED = 42

_ENTRY_KEYS = frozenset({"params", "seed"})


@dataclass(frozen=True, slots=True)
class ParameterSetEntry(FrozenValue):
    """One row of a study. With a seed it is simulated once, with exactly that seed."""

    params: Mapping[str, Scalar] = field(hash=False)
    seed: int | None = None

    def __post_init__(self) -> None:
        mistakes = Mistakes()
        SCALARS.check(self.params, "$.params", mistakes)
        mistakes.raise_if_any("parameter set", kind=InvalidValue)
        object.__setattr__(self, "params", read_only(self.params))
        if self.seed is not None:
            try:
                object.__setattr__(self, "seed", as_seed(self.seed))
            except ContractViolationError:
                text = f"seed must be int in uint64 range, not {self.seed!r}"
                raise InvalidValue(text) from None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ParameterSetEntry:
        """From an item of a file: ``{"params": {...}, "seed": n}``, or the bare values."""
        if _is_wrapped(item):
            return cls(params=item["params"], seed=item.get("seed"))
        return cls(params=item)

    def to_item(self) -> dict[str, Any]:
        """The item as it is written."""
        seed = {} if self.seed is None else {"seed": self.seed}
        return {"params": dict(self.params), **seed}


def _is_wrapped(item: Mapping[str, Any]) -> bool:
    """A parameter may itself be called ``params``; its value is a scalar, never an object."""
    return _ENTRY_KEYS.issuperset(item) and isinstance(item.get("params"), Mapping)


class _EntryRule:
    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if isinstance(value, Mapping) and _is_wrapped(value):
            SCALARS.check(value["params"], f"{path}.params", mistakes)
            Nullable(SEED).check(value.get("seed"), f"{path}.seed", mistakes)
        else:
            SCALARS.check(value, path, mistakes)

    def schema(self) -> dict[str, Any]:
        wrapped = Keys({"params": SCALARS, "seed": Nullable(SEED)}, required=("params",))
        return {"anyOf": [wrapped.schema(), SCALARS.schema()]}


@dataclass(frozen=True, slots=True)
class SimulationStudy(FrozenValue):
    """Parameter sets of one model and scenario, each simulated ``n_replicates`` times.

    ``metadata`` is free; of its entries ``model_class``, ``config``, ``crn``, ``base_seed``,
    ``target_ids``, ``target_set`` and ``target_weights`` have a meaning here.
    """

    model: str = field(metadata=ruled(TEXT, "module of the model, or its id", required=True))
    scenario: str = field(metadata=ruled(SCENARIO, "scenario to simulate", required=True))
    parameter_sets: tuple[ParameterSetEntry, ...] = field(
        metadata=ruled(ListOf(_EntryRule()), "values to simulate, a row each", required=True)
    )
    sampling_method: str = field(
        default="manual", metadata=ruled(TEXT, "design the rows come from")
    )
    n_replicates: int = field(
        default=1, metadata=ruled(COUNT, "simulations of every row that has no seed of its own")
    )
    outputs: tuple[str, ...] | None = field(
        default=None, metadata=ruled(Nullable(NAMES), "outputs to keep; null means all")
    )
    targets: tuple[str, ...] | None = field(
        default=None,
        metadata=ruled(Nullable(ListOf(OBJECT_ENTRYPOINT)), "targets to score the rows against"),
    )
    metadata: Mapping[str, Any] = field(
        default_factory=dict, hash=False, metadata=ruled(MAPPING, "anything else worth keeping")
    )

    def __post_init__(self) -> None:
        entries = tuple(_as_entry(item) for item in self.parameter_sets)
        object.__setattr__(self, "parameter_sets", entries)
        mistakes = Mistakes()
        COUNT.check(self.n_replicates, "$.n_replicates", mistakes)
        Nullable(NAMES).check(self.outputs, "$.outputs", mistakes)
        Nullable(NAMES).check(self.targets, "$.targets", mistakes)
        mistakes.raise_if_any("study", kind=InvalidValue)
        for name in ("outputs", "targets"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))
        object.__setattr__(self, "metadata", read_only(self.metadata or {}))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SimulationStudy:
        """From the content of a file. Raises InvalidInput with every mistake and its path."""
        mistakes = Mistakes()
        _STUDY.check(data, "$", mistakes)
        if isinstance(data, Mapping):
            _check_meaningful(data.get("metadata"), mistakes)
        mistakes.raise_if_any("study", kind=InvalidValue)
        return cls(**{name: data[name] for name in _STUDY.rules if name in data})

    def to_dict(self) -> dict[str, Any]:
        """The content of the file, in the order people read it."""
        targets = {} if self.targets is None else {"targets": list(self.targets)}
        return {
            "model": self.model,
            "scenario": self.scenario,
            "parameter_sets": [entry.to_item() for entry in self.parameter_sets],
            "sampling_method": self.sampling_method,
            "n_replicates": self.n_replicates,
            "outputs": None if self.outputs is None else list(self.outputs),
            **targets,
            "metadata": dict(self.metadata),
        }

    def parameter_count(self) -> int:
        """Number of parameter sets."""
        return len(self.parameter_sets)

    def total_simulation_count(self) -> int:
        """Number of simulations that are asked for."""
        return sum(self.n_replicates if entry.seed is None else 1 for entry in self.parameter_sets)

    def import_path(self) -> str:
        """``module.Class`` when the metadata names the class, else the model as written."""
        return import_path_of(str(self.metadata.get("model_class") or self.model))

    def seeds_of(self, entry: ParameterSetEntry, param_id: str) -> tuple[int, ...]:
        """The seeds that are run for one row: its own, else the generated ones."""
        if entry.seed is not None:
            return (entry.seed,)
        if self.metadata.get("crn", "none") == "none":
            return tuple(study_seed(param_id, i) for i in range(self.n_replicates))
        base_seed = int(self.metadata.get("base_seed", DEFAULT_STUDY_SEED))
        return tuple(common_study_seed(base_seed, i) for i in range(self.n_replicates))

    def tasks(self, bundle_ref: str) -> list[SimTask]:
        """All simulations, row by row; every parameter set is hashed once."""
        _refuse_unknown_crn(self.metadata)
        tasks: list[SimTask] = []
        for entry in self.parameter_sets:
            params = UniqueParameterSet.from_dict(entry.params)
            seeds = self.seeds_of(entry, params.param_id)
            first = self._task(bundle_ref, params, seeds[0])
            tasks.append(first)
            tasks.extend(first.with_seed(seed) for seed in seeds[1:])
        return tasks

    def _task(self, bundle_ref: str, params: UniqueParameterSet, seed: int) -> SimTask:
        return SimTask.from_components(
            import_path=self.import_path(),
            scenario=self.scenario,
            bundle_ref=bundle_ref,
            params=params,
            seed=seed,
            outputs=self.outputs,
            config=self.metadata.get("config") or None,
        )

    def to_simjob(self, bundle_ref: str, job_id: str | None = None) -> SimJob:
        """The study bound to a bundle. Raises ValueError for a malformed ``bundle_ref``."""
        return SimJob(
            job_id=job_id or f"job-{os.urandom(4).hex()}",
            bundle_ref=valid_bundle_ref(bundle_ref),
            tasks=tuple(self.tasks(bundle_ref)),
            metadata={
                "sampling_method": self.sampling_method,
                "n_parameter_sets": self.parameter_count(),
                "n_replicates": self.n_replicates,
                "model": self.model,
                "scenario": self.scenario,
                **self.metadata,
            },
            target_spec=self._target_spec(),
        )

    def _target_spec(self) -> TargetSpec | None:
        if not self.targets:
            return None
        targets = list(self.targets)
        ids, name = self.metadata.get("target_ids"), self.metadata.get("target_set")
        return TargetSpec(
            data={"target_entrypoints": targets, "target_ids": ids, "target_set": name},
            loss_function="default",
            weights=self.metadata.get("target_weights"),
            metadata={"targets": targets, "target_ids": ids, "target_set": name},
        )

    def with_targets(
        self,
        targets: Sequence[str],
        target_ids: Sequence[str] | None = None,
        target_set: str | None = None,
    ) -> SimulationStudy:
        """The same study, scored against these target entrypoints."""
        named: dict[str, Any] = dict(self.metadata)
        named["target_ids"] = None if target_ids is None else list(target_ids)
        named["target_set"] = target_set
        return replace(self, targets=tuple(targets), metadata=named)

    def normalised(self, kinds: Mapping[str, str]) -> SimulationStudy:
        """The same study with values brought to their parameter's kind ("float" or "int").

        Names that ``kinds`` does not know keep their value. Raises InvalidInput with every value
        that is of the wrong kind, such as 3.5 for a whole number.
        """
        mistakes = Mistakes()
        rows = [
            _normalised(entry, kinds, f"$.parameter_sets[{i}]", mistakes)
            for i, entry in enumerate(self.parameter_sets)
        ]
        mistakes.raise_if_any("study", kind=InvalidValue)
        return replace(self, parameter_sets=tuple(rows))

    def joined(self, other: SimulationStudy) -> SimulationStudy:
        """Both studies as one: rows of this one, then rows of ``other`` that are new.

        Raises InvalidInput naming the fields in which the two differ and must not.
        """
        differing = [name for name, mine, theirs in _joint_fields(self, other) if mine != theirs]
        if differing:
            raise InvalidInput(
                f"these studies cannot be joined: they differ in {', '.join(differing)}",
                hint="run them as two studies",
            )
        rows = {_row_key(entry): entry for entry in (*self.parameter_sets, *other.parameter_sets)}
        metadata = _joined_metadata(self.metadata, other.metadata)
        return replace(self, parameter_sets=tuple(rows.values()), metadata=metadata)


_STUDY = keys_of(SimulationStudy)


def _as_entry(item: ParameterSetEntry | Mapping[str, Any]) -> ParameterSetEntry:
    return item if isinstance(item, ParameterSetEntry) else ParameterSetEntry.from_item(item)


def _refuse_unknown_crn(metadata: Mapping[str, Any]) -> None:
    mistakes = Mistakes()
    _check_meaningful(metadata, mistakes)
    mistakes.raise_if_any("study", kind=InvalidValue)


def _check_meaningful(metadata: object, mistakes: Mistakes) -> None:
    """Metadata is free, but what is read here must be readable."""
    if not isinstance(metadata, Mapping):
        return
    for name, rule in _MEANINGFUL.items():
        if name in metadata:
            rule.check(metadata[name], f"$.metadata.{name}", mistakes)


_MEANINGFUL: Mapping[str, Rule] = {
    "crn": Choice(CRN_MODES),
    "base_seed": SEED,
    "config": Nullable(MAPPING),
    "model_class": TEXT,
    "target_weights": Nullable(Each(NUMBER)),
}


def _normalised(
    entry: ParameterSetEntry, kinds: Mapping[str, str], path: str, mistakes: Mistakes
) -> ParameterSetEntry:
    values: dict[str, Scalar] = {}
    for name, value in entry.params.items():
        values[name] = _of_kind(value, kinds.get(name), f"{path}.params.{name}", mistakes)
    return replace(entry, params=values)


def _of_kind(value: Scalar, kind: str | None, path: str, mistakes: Mistakes) -> Scalar:
    if kind is None:
        return value
    assert kind in {"float", "int"}, kind
    if isinstance(value, bool | str):
        mistakes.add(path, f"must be a number, not {value!r}")
        return value
    if kind == "float":
        return _as_float(value, path, mistakes)
    if value != int(value):
        mistakes.add(path, f"must be a whole number, not {value!r}")
    return int(value)


def _as_float(value: float, path: str, mistakes: Mistakes) -> float:
    try:
        return float(value) + 0.0  # -0.0 + 0.0 is 0.0
    except OverflowError:
        mistakes.add(path, "is too large for a floating-point number")
        return value


def _joint_fields(
    one: SimulationStudy, two: SimulationStudy
) -> Iterable[tuple[str, object, object]]:
    for name in ("model", "scenario", "n_replicates", "outputs", "targets"):
        yield name, getattr(one, name), getattr(two, name)
    yield "model_class", one.import_path(), two.import_path()
    for name, default in (("config", {}), ("crn", "none"), ("base_seed", DEFAULT_STUDY_SEED)):
        mine, theirs = one.metadata.get(name, default), two.metadata.get(name, default)
        yield name, mine or default, theirs or default


def _row_key(entry: ParameterSetEntry) -> tuple[str, int | None]:
    return make_param_id(entry.params), entry.seed


def _joined_metadata(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """This one's metadata; a design and its continuation become one design of both lengths."""
    joined = dict(one)
    first, second = one.get("design"), two.get("design")
    if isinstance(first, Mapping) and isinstance(second, Mapping) and _continues(first, second):
        both = first["n"] + second["n"]
        joined["design"] = {**second, "start": first["start"], "n": both}
        joined.update({key: both for key in ("n_samples", "total_samples") if key in one})
        joined.update({key: two[key] for key in ("grid_points",) if key in two})
    elif first or second:
        # Rows of two designs are no longer one design: extending it would repeat points.
        joined.pop("design", None)
        joined["designs"] = [design for design in (first, second) if design]
    return joined


def _continues(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    if not {"start", "n"} <= first.keys() & second.keys():
        return False
    # A finer grid has other points and is the same design all the same.
    moving = {"start", "n", *(("points",) if first.get("kind") == "grid" else ())}
    same = {key: value for key, value in first.items() if key not in moving} == {
        key: value for key, value in second.items() if key not in moving
    }
    return bool(same and second["start"] == first["start"] + first["n"])
