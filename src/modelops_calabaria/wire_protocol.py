"""The contract between whoever runs simulations and a model's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from modelops_calabaria.base_model import BaseModel, ModelRun, run_model
from modelops_calabaria.describe import make_instance
from modelops_calabaria.parameters.named import did_you_mean, refuse_unknown
from modelops_calabaria.parameters.types import ParameterSpec, Scalar
from modelops_calabaria.tables import frame_from_ipc, frame_to_ipc
from modelops_calabaria.wire_loader import load_symbol
from modelops_contracts.errors import InvalidType, InvalidValue, MissingKey

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "EntryRecord",
    "SerializedParameterSpec",
    "Wire",
    "WireABI",
    "WireResponse",
    "entry_from_manifest",
    "make_wire",
    "make_wire_for",
    "make_wire_from_manifest",
]


class WireABI(StrEnum):
    """Versions of the call."""

    V1 = "calabaria.wire.v1"


@dataclass(frozen=True, slots=True)
class SerializedParameterSpec:
    """A parameter in a manifest. Raises ValueError for an invalid kind or bounds."""

    name: str
    lower: Scalar
    upper: Scalar
    kind: str
    doc: str = ""

    def __post_init__(self) -> None:
        if self.kind not in {"float", "int"}:
            raise InvalidValue(f"Invalid kind {self.kind!r} of {self.name}: 'float' or 'int'")
        if not self.lower <= self.upper:
            raise InvalidValue(f"Invalid bounds of {self.name}: [{self.lower}, {self.upper}]")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "lower": self.lower,
            "upper": self.upper,
            "kind": self.kind,
            "doc": self.doc,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SerializedParameterSpec:
        """From the JSON form; keys of newer versions are left aside."""
        return cls(data["name"], data["lower"], data["upper"], data["kind"], data.get("doc", ""))

    @classmethod
    def from_spec(cls, spec: ParameterSpec) -> SerializedParameterSpec:
        return cls(spec.name, spec.lower, spec.upper, spec.kind, spec.doc)


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """A model as a manifest lists it."""

    class_path: str
    model_digest: str
    abi_version: str = WireABI.V1.value
    param_specs: tuple[SerializedParameterSpec, ...] = ()
    scenarios: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WireResponse:
    """Tables as Arrow IPC file bytes, and how they came about."""

    outputs: Mapping[str, bytes]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def get_dataframe(self, name: str) -> pl.DataFrame:
        """One table. Raises KeyError naming the nearest."""
        if name not in self.outputs:
            hint = did_you_mean(name, self.outputs)
            raise MissingKey(f"Output '{name}' not found", hint=hint)
        return frame_from_ipc(self.outputs[name], f"output '{name}'")

    def get_all_dataframes(self) -> dict[str, pl.DataFrame]:
        return {name: self.get_dataframe(name) for name in self.outputs}


class Wire(Protocol):
    """One simulation per call, with a fresh model."""

    def __call__(
        self,
        *,
        params_M: Mapping[str, Any],
        seed: int,
        scenario_stack: Sequence[str] = ("baseline",),
        outputs: Sequence[str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> WireResponse: ...


def entry_from_manifest(class_path: str, manifest: Mapping[str, Any]) -> EntryRecord:
    """The record of a model in a manifest ({"models": {class_path: {...}}}).

    Raises KeyError naming the nearest class path.
    """
    models: Mapping[str, Any] = manifest.get("models", {})
    if class_path not in models:
        hint = did_you_mean(class_path, models)
        raise MissingKey(f"Model {class_path} not found in the manifest", hint=hint)
    entry = models[class_path]
    return EntryRecord(
        class_path=class_path,
        model_digest=entry.get("model_digest") or entry.get("digest") or "",
        abi_version=entry.get("abi_version", WireABI.V1.value),
        param_specs=tuple(map(SerializedParameterSpec.from_json, entry.get("param_specs", ()))),
        scenarios=tuple(entry.get("scenarios", ())),
        outputs=tuple(entry.get("outputs", ())),
    )


def make_wire_from_manifest(class_path: str, manifest: Mapping[str, Any]) -> Wire:
    return make_wire(entry_from_manifest(class_path, manifest))


def make_wire(entry: EntryRecord) -> Wire:
    """The callable that simulates this model. The class is imported now."""
    if entry.abi_version != WireABI.V1:
        raise InvalidValue(
            f"{entry.class_path}: unknown wire version {entry.abi_version!r}",
            hint=f"this installation speaks {WireABI.V1.value}",
        )
    return make_wire_for(load_symbol(entry.class_path), entry.class_path, entry.model_digest)


def make_wire_for(
    model: object,
    class_path: str,
    model_digest: str,
    *,
    encode: Callable[[pl.DataFrame], bytes] = frame_to_ipc,
) -> Wire:
    """The same for a class that is already there; ``encode`` writes the tables."""
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        raise InvalidType(
            f"{class_path} is not a model",
            hint="a model is a class that derives from modelops_calabaria.BaseModel",
        )
    make: Callable[[], BaseModel] = lambda: make_instance(model)  # noqa: E731

    def wire(
        *,
        params_M: Mapping[str, Any],
        seed: int,
        scenario_stack: Sequence[str] = ("baseline",),
        outputs: Sequence[str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> WireResponse:
        instance = make()
        if outputs is not None:
            refuse_unknown("Unknown outputs", outputs, instance.list_outputs())
        run = run_model(
            instance, params_M, seed, scenarios=scenario_stack, config=config, outputs=outputs
        )
        tables = {name: encode(table) for name, table in run.tables.items()}
        origin = {"model_digest": model_digest, "class_path": class_path}
        return WireResponse(tables, {**origin, **_provenance(run, params_M, seed, scenario_stack)})

    return wire


def _provenance(
    run: ModelRun, params: Mapping[str, Any], seed: int, stack: Sequence[str]
) -> dict[str, Any]:
    return {
        "abi": WireABI.V1.value,
        "params_M": dict(params),
        "params_effective": run.params.to_dict(),
        "config_effective": {key: run.config[key] for key in run.config},
        "scenario_stack": list(stack),
        "applied_scenarios": list(run.applied),
        "seed": seed,
    }
