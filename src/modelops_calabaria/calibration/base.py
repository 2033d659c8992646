"""What an algorithm that needs a place to keep its state offers, and what it asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelops_contracts.types import TrialResult, UniqueParameterSet

__all__ = ["AlgorithmAdapter", "InfrastructureRequirements"]


@dataclass(frozen=True, slots=True)
class InfrastructureRequirements:
    """What an algorithm can use. Each entry says its ``type`` and whether it is ``optional``."""

    databases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    caches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    volumes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: frozenset[str] | set[str] = field(default_factory=set)


class AlgorithmAdapter(ABC):
    """An AdaptiveAlgorithm that is set up in steps: initialize, connect, then ask and tell."""

    @abstractmethod
    def initialize(self, job_id: str, config: Mapping[str, Any]) -> None:
        """Take the job's id and its ``algorithm_config``. Raises InvalidInput for bad settings."""

    @abstractmethod
    def connect_infrastructure(self, info: Mapping[str, Any]) -> None:
        """Use what :func:`get_connection_info` found; nothing found is enough."""

    @abstractmethod
    def get_infrastructure_requirements(self) -> InfrastructureRequirements:
        """What could be used."""

    @abstractmethod
    def ask(self, n: int) -> list[UniqueParameterSet]:
        """At most ``n`` proposals."""

    @abstractmethod
    def tell(self, results: Sequence[TrialResult]) -> None:
        """Take results of proposals."""

    @abstractmethod
    def finished(self) -> bool:
        """True when nothing more will be proposed."""
