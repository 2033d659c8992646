"""What a runner calls inside a bundle: simulate, describe, evaluate, predict.

The working directory is the bundle's root. All four are functions of their arguments and of the
bundle's files; what is expensive to find (registry, classes, observed data) is kept per process
until the files behind it change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from modelops_calabaria.constants import METADATA_OUTPUT
from modelops_calabaria.describe import describe_model, describe_target, model_digest
from modelops_calabaria.parameters.named import did_you_mean, refuse_unknown
from modelops_calabaria.tables import frame_from_ipc, frame_to_ipc, frame_to_stream
from modelops_calabaria.wire_loader import load_symbol
from modelops_calabaria.wire_protocol import Wire, make_wire_for
from modelops_contracts.digests import make_param_id
from modelops_contracts.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import polars as pl

    from modelops_contracts.registry import BundleRegistry

__all__ = [
    "describe_function",
    "evaluate_function",
    "predict_function",
    "simulate_function",
    "wire_function",
]

REGISTRY: Final = Path(".modelops-bundle") / "registry.yaml"
T = TypeVar("T")
Encode = Callable[["pl.DataFrame"], bytes]
Stamp = tuple[tuple[int, int] | None, ...]
_kept: dict[tuple[object, ...], tuple[Stamp, Any]] = {}


def wire_function(
    entrypoint: str,
    params: Mapping[str, Any],
    seed: int,
    *,
    outputs: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """Simulate ``<model>/<scenario>`` once: {output: Arrow IPC file bytes}.

    An extra entry ``metadata`` holds JSON: entrypoint, seed, params, model_digest, scenario,
    provenance. Whatever fails raises.
    """
    return _simulate(entrypoint, params, seed, outputs, config, frame_to_ipc)


def simulate_function(
    entrypoint: str,
    params: Mapping[str, Any],
    seed: int,
    *,
    outputs: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """The same with Arrow IPC streams, which a runner prefers because they are cheap to write."""
    return _simulate(entrypoint, params, seed, outputs, config, frame_to_stream)


def _simulate(
    entrypoint: str,
    params: Mapping[str, Any],
    seed: int,
    outputs: Sequence[str] | None,
    config: Mapping[str, Any] | None,
    encode: Encode,
) -> dict[str, bytes]:
    path, slash, scenario = entrypoint.partition("/")
    if not slash or not scenario:
        raise InvalidInput(
            f"Invalid entrypoint format: {entrypoint!r}", hint="write module.Class/scenario"
        )
    wire = _wire(path, encode)
    response = wire(
        params_M=params, seed=seed, scenario_stack=(scenario,), outputs=outputs, config=config
    )
    metadata = {
        "entrypoint": entrypoint,
        "seed": seed,
        "params": dict(params),
        "model_digest": response.provenance["model_digest"],
        "scenario": scenario,
        "provenance": response.provenance,
    }
    text = json.dumps(metadata, default=str, sort_keys=True)
    return {**response.outputs, METADATA_OUTPUT: text.encode()}


def describe_function(kind: str, reference: str) -> dict[str, Any]:
    """JSON of a model's or target's description.

    A model: ``module:Class``, ``path/file.py:Class``, or anything an entry point may name; a
    target: ``module:function`` or ``path/file.py:function``.
    """
    if kind == "model":
        name = reference if ":" in reference else _class_reference(reference)
        return describe_model(load_symbol(name)).to_json()
    if kind == "target":
        named = _as_module(reference)
        output = _registered_output(named)
        return describe_target(load_symbol(reference), named, model_output=output).to_json()
    raise InvalidInput(f"kind must be 'model' or 'target', not {kind!r}")


def evaluate_function(
    targets: Sequence[str],
    tables: Sequence[Mapping[str, bytes] | None],
    *,
    entrypoint: str,
    params: Mapping[str, Any],
    seeds: Sequence[int],
    weights: Mapping[str, float] | None = None,
    policy: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, Any] | None] = (),
) -> dict[str, Any]:
    """Score one parameter set against targets (``module:function``): JSON of an Evaluation.

    ``tables[r]`` was simulated with ``seeds[r]``; None where that failed, ``errors[r]`` says how.
    ``weights`` are by target entry point. ``entrypoint`` names the model, for messages.
    """
    from modelops_calabaria.evaluation.joint import evaluate_joint

    rules = dict(policy or {})
    refuse_unknown(f"{entrypoint}: unknown policies", rules, ("replicates", "failed_replicates"))
    refuse_unknown(f"{entrypoint}: weights of targets not evaluated", weights or {}, targets)
    loaded = {reference: _target(reference) for reference in targets}
    evaluation = evaluate_joint(
        list(loaded.values()),
        [None if replicate is None else _Tables(replicate) for replicate in tables],
        param_id=make_param_id(params),
        params=params,
        seeds=list(seeds),
        weights={loaded[key].name: weight for key, weight in (weights or {}).items()} or None,
        errors=list(errors),
        **rules,
    )
    return evaluation.to_json()


def predict_function(
    targets: Sequence[str], members: Sequence[Mapping[str, Any]], *, entrypoint: str, seed: int
) -> dict[str, bytes]:
    """Predictive ranges of an ensemble at each target's observed rows: {target: Arrow IPC bytes}.

    Targets that keep no observed rows are left out. Each member is
    ``{"params": {...}, "tables": {output: bytes}}``.
    """
    from modelops_calabaria.evaluation.predictive import predictable, predictive_ensemble

    if not members:
        raise InvalidInput(f"{entrypoint}: an ensemble needs at least one member")
    ensemble = [(member["params"], _Tables(member["tables"])) for member in members]
    ranges = {}
    for target in predictable([_target(reference) for reference in targets]):
        ranges[target.name] = frame_to_ipc(predictive_ensemble(target, ensemble, seed=seed))
    return ranges


class _Tables(Mapping[str, "pl.DataFrame"]):
    """Outputs of one replicate, each decoded when a target first asks for it."""

    def __init__(self, encoded: Mapping[str, bytes]) -> None:
        self._encoded = {key: data for key, data in encoded.items() if key != METADATA_OUTPUT}
        self._decoded: dict[str, pl.DataFrame] = {}

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in self._decoded:
            self._decoded[name] = frame_from_ipc(self._encoded[name], f"output '{name}'")
        return self._decoded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._encoded)

    def __len__(self) -> int:
        return len(self._encoded)


# ---------------------------------------------------------------- finding


def _wire(path: str, encode: Encode) -> Wire:
    registry = Path.cwd() / REGISTRY
    key = ("wire", registry, path, encode)
    return _keep(key, (registry,), lambda: _make_wire(path, encode))


def _make_wire(path: str, encode: Encode) -> Wire:
    reference = _class_reference(path)
    model = load_symbol(reference)
    digest = model_digest(model) if isinstance(model, type) else ""
    return make_wire_for(model, _as_module(reference), digest, encode=encode)


def _target(reference: str) -> Any:
    from modelops_calabaria.targets import make_target

    source = load_symbol(reference)
    metadata = getattr(source, "_target_metadata", None) or {}
    files = tuple(Path.cwd() / str(path) for path in (metadata.get("data") or {}).values())
    key = ("target", Path.cwd(), reference, source)
    output = _registered_output(reference)
    return _keep(key, files, lambda: make_target(source, reference, model_output=output))


def _registered_output(reference: str) -> str | None:
    """What the registry says a target is compared with; only the older form needs to be told."""
    registry = _registry()
    entries = () if registry is None else registry.targets.values()
    found = [entry.model_output for entry in entries if entry.entrypoint == reference]
    return found[0] or None if found else None


def _class_reference(path: str) -> str:
    """``module:Class`` for what stands before the slash of an entry point."""
    registry = _registry()
    if registry is None:
        return _importable(path)
    entrypoints = {key: str(entry.entrypoint) for key, entry in registry.models.items()}
    found = _candidates(path, entrypoints)
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{key} ({value})" for key, value in sorted(entrypoints.items()))
    if found:
        raise NotFound(
            f"model {path!r} is ambiguous: {', '.join(found)}", hint="name the class, too"
        )
    raise NotFound(
        f"model {path!r} is not registered; registered: {listed or 'none'}",
        hint=did_you_mean(path, [*entrypoints, *entrypoints.values()]),
    )


def _candidates(path: str, entrypoints: Mapping[str, str]) -> list[str]:
    """Registered classes that ``path`` may mean: by name, by id, by module."""
    wanted = _without_src(path.replace(":", "."))
    named = [v for v in entrypoints.values() if _without_src(v.replace(":", ".")) == wanted]
    if named:
        return named[:1]
    if path in entrypoints:
        return [entrypoints[path]]
    modules = [v for v in entrypoints.values() if _without_src(v.partition(":")[0]) == wanted]
    return sorted(set(modules))


def _without_src(dotted: str) -> str:
    """Older registries write ``src.models.sir`` for what is imported as ``models.sir``."""
    return dotted.removeprefix("src.")


def _importable(path: str) -> str:
    if ":" in path:
        return path
    module, dot, name = path.rpartition(".")
    if not dot:
        raise NotFound(f"model {path!r}: name a class, such as {path}.{path.capitalize()}")
    return f"{module}:{name}"


def _as_module(reference: str) -> str:
    """``module:Symbol`` also for a reference by file."""
    place, _, symbol = reference.rpartition(":")
    if not place.endswith(".py"):
        return reference
    return f"{load_symbol(reference).__module__}:{symbol}"


def _registry() -> BundleRegistry | None:
    path = Path.cwd() / REGISTRY
    if not path.is_file():
        return None
    from modelops_contracts.registry import BundleRegistry

    return _keep(("registry", path), (path,), lambda: BundleRegistry.load(path))


def _keep(key: tuple[object, ...], files: Sequence[Path], make: Callable[[], T]) -> T:
    """What ``make`` returns, made again when a file has changed."""
    stamp = tuple(_stamp(path) for path in files)
    known = _kept.get(key)
    if known is None or known[0] != stamp:
        known = _kept[key] = (stamp, make())
    value: T = known[1]
    return value


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
