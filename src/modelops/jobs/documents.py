"""What a job's plan.json and bundle.json say: everything that was decided at submission.

Nothing in them depends on the machine: no path, no host. A driver that finds the same bundle,
the same environment digest and the same store does the same work anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from modelops_contracts.digests import canonical_json, digest_bytes
from modelops_contracts.errors import IntegrityError
from modelops_contracts.models import ModelDescription, TargetDescription

__all__ = [
    "PLAN_SCHEMA",
    "BundleFacts",
    "ChosenTarget",
    "JobPlan",
    "RunChoices",
    "joint_digest",
]

PLAN_SCHEMA = "mops.plan/1"


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """Which bundle a job runs: ``manifest`` and ``content`` are ``sha256:`` digests."""

    repository: str
    manifest: str
    content: str = ""
    tag: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ChosenTarget:
    """One target of a job. ``digest`` covers its code and data."""

    target_id: str
    entrypoint: str
    digest: str
    weight: float
    description: TargetDescription

    @property
    def name(self) -> str:
        return self.description.name

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.target_id,
            "name": self.name,
            "entrypoint": self.entrypoint,
            "digest": self.digest,
            "weight": self.weight,
            "description": self.description.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChosenTarget:
        return cls(
            target_id=data["id"],
            entrypoint=data["entrypoint"],
            digest=data["digest"],
            weight=data["weight"],
            description=TargetDescription.from_json(data["description"]),
        )


@dataclass(frozen=True, slots=True)
class RunChoices:
    """How the work is run. ``workers`` None: one per core of the machine that runs it."""

    executor: str = "process_pool"
    workers: int | None = None
    timeout: float | None = None
    isolation: str = "warm"
    interpreter: str = "auto"
    max_failed: str = "0"
    max_time: float | None = None
    retry_failed: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunChoices:
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})


@dataclass(frozen=True, slots=True)
class JobPlan:
    """``model`` is ``module:Class``, ``code`` its entry digest, ``environment`` the digest of the
    software it runs with, ``software`` the versions in it by distribution (for people; empty in
    plans of older versions); ``outputs`` are those that are stored, sorted."""

    kind: str
    model_id: str
    model: str
    code: str
    scenario: str
    environment: str
    outputs: tuple[str, ...]
    config: Mapping[str, Any]
    description: ModelDescription
    targets: tuple[ChosenTarget, ...] = ()
    policy: Mapping[str, str] = field(default_factory=dict)
    choices: RunChoices = RunChoices()
    software: Mapping[str, str] = field(default_factory=dict)

    @property
    def entrypoint(self) -> str:
        """``module.Class/scenario``."""
        return f"{self.model.replace(':', '.')}/{self.scenario}"

    @property
    def weights(self) -> dict[str, float]:
        """By target entrypoint."""
        return {target.entrypoint: target.weight for target in self.targets}

    @property
    def target_digest(self) -> str:
        """Digest of all targets together: evaluations are kept under it."""
        return joint_digest(self.targets)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": PLAN_SCHEMA,
            "kind": self.kind,
            "model_id": self.model_id,
            "model": self.model,
            "code": self.code,
            "scenario": self.scenario,
            "environment": self.environment,
            "outputs": list(self.outputs),
            "config": dict(self.config),
            "description": self.description.to_json(),
            "targets": [target.to_json() for target in self.targets],
            "target_digest": self.target_digest,
            "policy": dict(self.policy),
            "settings": asdict(self.choices),
            "software": dict(self.software),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobPlan:
        """Raises IntegrityError for another schema or missing fields."""
        if data.get("schema") != PLAN_SCHEMA:
            raise IntegrityError(
                f"plan of schema {data.get('schema')!r}; this version reads {PLAN_SCHEMA}"
            )
        try:
            return cls(
                kind=data["kind"],
                model_id=data["model_id"],
                model=data["model"],
                code=data["code"],
                scenario=data["scenario"],
                environment=data["environment"],
                outputs=tuple(data["outputs"]),
                config=data["config"],
                description=ModelDescription.from_json(data["description"]),
                targets=tuple(ChosenTarget.from_json(item) for item in data["targets"]),
                policy=data["policy"],
                choices=RunChoices.from_json(data["settings"]),
                software=data.get("software", {}),
            )
        except (KeyError, TypeError) as error:
            raise IntegrityError(f"plan is damaged: {error!r}") from error


def joint_digest(targets: tuple[ChosenTarget, ...]) -> str:
    """64 hex digits over entry points and digests, whatever their order; empty without targets."""
    if not targets:
        return ""
    pairs = sorted([target.entrypoint, target.digest] for target in targets)
    return digest_bytes(b"modelops:targets:v1|" + canonical_json(pairs))
