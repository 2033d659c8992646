"""The one composition root: from settings to the things that do the work.

Adapters are named here, in a literal table, and imported by nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from modelops.config.environments import Environment, load_environment
from modelops.config.model import Config
from modelops.config.sources import read_environ
from modelops_contracts.ports import ArtifactStore, NullReporter, Reporter

if TYPE_CHECKING:
    from modelops_bundle.opening import OpenBundle

    from modelops.engine.environments.spec import EnvironmentSpec
    from modelops.engine.service import EngineService
    from modelops.results.store import ResultsStore

__all__ = [
    "ADAPTERS",
    "count_slots",
    "open_artifacts",
    "open_backend",
    "open_bundle_tree",
    "open_engine",
    "open_environment",
    "open_results",
    "prepare_environment",
]

ADAPTERS: Mapping[str, str] = MappingProxyType(
    {
        "jobs.local": "modelops.jobs.backends.local:LocalJobBackend",
        "artifacts.layout": "modelops_bundle.oci.layout:LayoutStore",
    }
)


def _load(name: str) -> Any:
    module, _, attribute = ADAPTERS[name].partition(":")
    return getattr(import_module(module), attribute)


def open_environment(config: Config) -> Environment:
    """The environment in force. Raises NotFound, InvalidInput."""
    return load_environment(config.environment, config.paths)


def open_backend(config: Config, *, project_root: Path) -> Any:
    """Where the jobs of a project are, in the environment in force (LocalJobBackend)."""
    environment = open_environment(config)
    variables = {**read_environ(), "MODELOPS_HOME": str(config.paths.home)}
    return _load("jobs.local")(environment.results_root(project_root), environ=variables)


def open_artifacts(config: Config, repository: str) -> ArtifactStore:
    """The bundles of one repository."""
    store = _load("artifacts.layout")(open_environment(config).artifacts, repository)
    return cast("ArtifactStore", store)


def open_bundle_tree(
    config: Config, store: ArtifactStore, manifest: str
) -> AbstractContextManager[OpenBundle]:
    """The files of a bundle from the cache, verified."""
    from modelops_bundle.opening import open_bundle

    return open_bundle(manifest, store=store, cache_dir=config.paths.bundle_cache)


def open_results(config: Config, project_root: Path) -> ResultsStore:
    """What the project has simulated so far."""
    from modelops.results.store import ResultsStore

    return ResultsStore.open(open_environment(config).results_root(project_root))


def prepare_environment(
    config: Config, root: Path, *, interpreter: str | None = None, reporter: Reporter | None = None
) -> EnvironmentSpec:
    """The software environment of the files in ``root``, built when it has to be.

    ``interpreter`` overrides the setting of that name.
    """
    from modelops.engine.environments.select import plan_environment

    kind = interpreter or config.run.interpreter
    cache_dir = config.paths.env_cache
    spec = plan_environment(root, kind=kind, python=config.run.python, cache_dir=cache_dir)
    if spec.ready:
        return spec
    from modelops.engine.environments.venv import ensure_environment

    return ensure_environment(
        spec, cache_dir=cache_dir, reporter=reporter or NullReporter(), environ=read_environ()
    )


def open_engine(
    *,
    root: Path,
    environment: EnvironmentSpec,
    log_dir: Path,
    executor: str = "process_pool",
    workers: int | None = None,
    timeout: float | None = None,
    isolation: str = "warm",
    debug: bool = False,
    cache_dir: Path | None = None,
) -> AbstractContextManager[EngineService]:
    """An engine over the files of an open bundle."""
    from modelops.engine.service import open_engine as open_service

    return open_service(
        root=root,
        environment=environment,
        executor=cast("Any", executor),
        slots=count_slots(executor, workers),
        timeout=timeout,
        isolation=isolation,
        log_dir=log_dir,
        base_env=read_environ(),
        cache_dir=cache_dir,
        debug=debug,
    )


def count_slots(executor: str, workers: int | None) -> int:
    """How many simulations run at once: as asked, else one per usable core (inline: one)."""
    if workers is not None:
        return workers
    if executor == "inline":
        return 1
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1
