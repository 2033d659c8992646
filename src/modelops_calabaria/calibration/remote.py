"""Simulating through a SimulationService: other processes, other machines, the same numbers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.calibration.local import Failure, Tables
from modelops_calabaria.describe import class_path, model_digest
from modelops_calabaria.parameters.config import ConfigurationSet
from modelops_calabaria.tables import frame_from_ipc
from modelops_contracts.artifacts import TableArtifact
from modelops_contracts.errors import InvalidInput, Unavailable
from modelops_contracts.ports import Future, SimulationService
from modelops_contracts.simulation import SimReturn, SimTask
from modelops_contracts.types import UniqueParameterSet

__all__ = ["ServiceModel"]

_METADATA = "metadata"


class ServiceModel:
    """A model, a scenario and a configuration, simulated by a service.

    The service must be able to import the model by its address. Raises InvalidInput for a model
    that has none.
    """

    def __init__(
        self,
        service: SimulationService,
        model: BaseModel,
        scenario: str,
        config: Mapping[str, Any] | None = None,
        *,
        remember: int = 4096,
    ) -> None:
        address = class_path(type(model))
        digest = model_digest(type(model))
        if address.startswith("__main__:") or not digest:
            raise InvalidInput(
                f"{address} was typed at a prompt; a service cannot import it",
                hint="write the model to a file and import it from there",
            )
        self.scenario = scenario
        self._service, self._bundle = service, digest
        self._address = address.replace(":", ".")
        self._config = _whole_config(model, config)
        self._remember = remember
        self._pending: dict[tuple[str, int], Future[SimReturn]] = {}
        self._known: OrderedDict[tuple[str, int], Tables | Failure] = OrderedDict()

    def prefetch(
        self,
        params: UniqueParameterSet,
        seeds: Sequence[int],
        outputs: Sequence[str] | None = None,
    ) -> None:
        """Start what is neither known nor running."""
        keys = [(params.param_id, seed) for seed in seeds]
        new = [key for key in dict.fromkeys(keys) if not self._has(key)]
        tasks = [self._task(params, seed, outputs) for _, seed in new]
        if tasks:
            started = self._service.submit_batch(tasks)
            self._pending.update(zip(new, started, strict=True))

    def run(
        self, params: UniqueParameterSet, seed: int, outputs: Sequence[str] | None = None
    ) -> Tables | Failure:
        """Tables of one simulation, or what the author's code raised; waits for it."""
        key = (params.param_id, seed)
        if key not in self._known:
            self.prefetch(params, [seed], outputs)
            self._known[key] = _read(self._pending.pop(key).result())
            if len(self._known) > self._remember:
                self._known.popitem(last=False)
        return self._known[key]

    def cancel(self) -> None:
        """Give up what has been started and not been read."""
        for future in self._pending.values():
            future.cancel()
        self._pending.clear()

    def _has(self, key: tuple[str, int]) -> bool:
        return key in self._known or key in self._pending

    def _task(
        self, params: UniqueParameterSet, seed: int, outputs: Sequence[str] | None
    ) -> SimTask:
        return SimTask.from_components(
            import_path=self._address,
            scenario=self.scenario,
            bundle_ref=self._bundle,
            params=params,
            seed=seed,
            outputs=None if outputs is None else list(outputs),
            config=self._config,
        )


def _whole_config(model: BaseModel, config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The configuration of this instance as patches of the class's defaults."""
    base = model.base_config
    own = base.changes() if isinstance(base, ConfigurationSet) else {}
    return {**own, **(config or {})} or None


def _read(returned: SimReturn) -> Tables | Failure:
    if returned.error is not None:
        details = returned.error_details
        text = "" if details is None else _content(details).decode("utf-8", "replace")
        return Failure(returned.error, text)
    return {
        name: frame_from_ipc(_content(artifact), f"output {name}")
        for name, artifact in returned.outputs.items()
        if name != _METADATA
    }


def _content(artifact: TableArtifact) -> bytes:
    if artifact.ref is None:
        return artifact.verified()
    place = urlsplit(artifact.ref)
    if place.scheme != "file":
        raise Unavailable(
            f"a table lies at {artifact.ref}, which cannot be read from here",
            hint="run the study as a job: mops jobs submit",
        )
    return artifact.verified(Path(url2pathname(place.path)).read_bytes())
