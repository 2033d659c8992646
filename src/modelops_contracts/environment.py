"""The software a simulation ran with, as a value with a digest."""

from __future__ import annotations

import platform as _platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from modelops_contracts.digests import environment_digest
from modelops_contracts.errors import ContractViolationError
from modelops_contracts.frozen import FrozenValue, is_name, read_only

__all__ = ["EnvironmentDigest"]


@dataclass(frozen=True, slots=True)
class EnvironmentDigest(FrozenValue):
    """Interpreter, platform and libraries; ``dependencies`` maps a name to its version."""

    python_version: str
    platform: str
    dependencies: Mapping[str, str] = field(default_factory=dict, hash=False)
    container_image: str | None = None
    cuda_version: str | None = None
    rng_algorithm: str = "PCG64"
    thread_count: int = 1

    def __post_init__(self) -> None:
        for name in ("python_version", "platform"):
            if not is_name(getattr(self, name)):
                raise ContractViolationError(f"{name} must be non-empty")
        object.__setattr__(self, "dependencies", read_only(self.dependencies))

    def compute_digest(self) -> str:
        """64 hex digits; the order of the dependencies does not count."""
        return environment_digest(
            python=self.python_version,
            platform=self.platform,
            dependencies=self.dependencies,
            container=self.container_image,
            cuda=self.cuda_version,
            rng=self.rng_algorithm,
            threads=self.thread_count,
        )

    @classmethod
    def capture_current(cls) -> EnvironmentDigest:
        """This interpreter with everything that is installed for it."""
        return cls(
            python_version=_platform.python_version(),
            platform=f"{sys.platform}-{_platform.machine()}",
            dependencies=_installed(),
        )

    def with_dependencies(self, dependencies: Mapping[str, str]) -> EnvironmentDigest:
        """The same environment with these libraries instead."""
        return replace(self, dependencies=dependencies)

    def to_json(self) -> dict[str, Any]:
        return {
            "python_version": self.python_version,
            "platform": self.platform,
            "dependencies": dict(sorted(self.dependencies.items())),
            "container_image": self.container_image,
            "cuda_version": self.cuda_version,
            "rng_algorithm": self.rng_algorithm,
            "thread_count": self.thread_count,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EnvironmentDigest:
        return cls(**data)


def _installed() -> dict[str, str]:
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            # The first on sys.path is the one that is imported.
            found.setdefault(name.lower().replace("_", "-").replace(".", "-"), distribution.version)
    return found
