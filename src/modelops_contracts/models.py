"""What a model and a target say about themselves, as values that cross process borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelops_contracts.errors import ContractViolationError
from modelops_contracts.frozen import FrozenValue, decode_float, encode_float, read_only

__all__ = ["ModelDescription", "TargetDescription"]


@dataclass(frozen=True, slots=True)
class ModelDescription(FrozenValue):
    """A model without its code.

    ``class_path`` is ``module:Class``; ``parameters`` are dicts with name, lower,
    upper, kind, doc and, when set, prior, unit, default, transform; ``scenarios`` maps a name to
    its ``param_patches`` and ``config_patches``; ``config`` maps a name to the repr of its default.
    """

    class_path: str
    model_digest: str = ""
    parameters: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    scenarios: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    outputs: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict, hash=False)
    deterministic: bool = False
    doc: str = ""

    def __post_init__(self) -> None:
        _check_reference(self.class_path, "class_path")
        object.__setattr__(self, "parameters", tuple(dict(spec) for spec in self.parameters))
        scenarios = {name: dict(patches) for name, patches in self.scenarios.items()}
        object.__setattr__(self, "scenarios", read_only(scenarios))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        object.__setattr__(self, "config", read_only(self.config))

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names in the model's own order."""
        return tuple(spec["name"] for spec in self.parameters)

    def parameter(self, name: str) -> Mapping[str, Any] | None:
        """The description of one parameter, None when the model has none of this name."""
        return next((spec for spec in self.parameters if spec["name"] == name), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "class_path": self.class_path,
            "model_digest": self.model_digest,
            "parameters": [dict(spec) for spec in self.parameters],
            "scenarios": {name: dict(patches) for name, patches in self.scenarios.items()},
            "outputs": list(self.outputs),
            "config": dict(self.config),
            "deterministic": self.deterministic,
            "doc": self.doc,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelDescription:
        return cls(
            class_path=data["class_path"],
            model_digest=data.get("model_digest", ""),
            parameters=tuple(data.get("parameters", ())),
            scenarios=data.get("scenarios", {}),
            outputs=tuple(data.get("outputs", ())),
            config=data.get("config", {}),
            deterministic=data.get("deterministic", False),
            doc=data.get("doc", ""),
        )


@dataclass(frozen=True, slots=True)
class TargetDescription(FrozenValue):
    """A target without its code.

    ``kind`` is "loss" or "loglik"; ``columns`` are the simulated columns it reads; ``coverage``
    is its policy for missing rows; ``data`` the files its observations come from; ``family`` the
    name of the likelihood or loss.
    """

    entrypoint: str
    name: str
    model_outputs: tuple[str, ...]
    kind: str
    weight: float = 1.0
    columns: tuple[str, ...] = ()
    n_observed: int = 0
    coverage: str = ""
    data: tuple[str, ...] = ()
    family: str = ""

    def __post_init__(self) -> None:
        _check_reference(self.entrypoint, "entrypoint")
        if self.kind not in {"loss", "loglik"}:
            raise ContractViolationError(f"kind must be 'loss' or 'loglik', not {self.kind!r}")
        for name in ("model_outputs", "columns", "data"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_json(self) -> dict[str, Any]:
        return {
            "entrypoint": self.entrypoint,
            "name": self.name,
            "model_outputs": list(self.model_outputs),
            "kind": self.kind,
            "weight": encode_float(self.weight),
            "columns": list(self.columns),
            "n_observed": self.n_observed,
            "coverage": self.coverage,
            "data": list(self.data),
            "family": self.family,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetDescription:
        return cls(
            entrypoint=data["entrypoint"],
            name=data["name"],
            model_outputs=tuple(data["model_outputs"]),
            kind=data["kind"],
            weight=decode_float(data.get("weight", 1.0)),
            columns=tuple(data.get("columns", ())),
            n_observed=data.get("n_observed", 0),
            coverage=data.get("coverage", ""),
            data=tuple(data.get("data", ())),
            family=data.get("family", ""),
        )


def _check_reference(reference: str, name: str) -> None:
    if ":" not in reference:
        raise ContractViolationError(f"{name} must be module:object, not {reference!r}")
