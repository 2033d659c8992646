"""The one composition root: from settings to the things that do the work.

Adapters are named here, in a literal table, and imported by nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from modelops.config.environments import Environment, load_environment
from modelops.config.model import Config
from modelops.config.registries import Registry
from modelops.config.sources import read_environ
from modelops.logins import find_logins
from modelops_contracts.ports import ArtifactStore, NullReporter, Reporter

if TYPE_CHECKING:
    from modelops.engine.environments.spec import EnvironmentSpec
    from modelops.engine.service import EngineService
    from modelops.results.store import ResultsStore
    from modelops_bundle.opening import OpenBundle

__all__ = [
    "ADAPTERS",
    "count_slots",
    "locate_artifacts",
    "name_in_environment",
    "open_artifacts",
    "open_backend",
    "open_bundle_tree",
    "open_engine",
    "open_environment",
    "open_reference",
    "open_registry",
    "open_results",
    "prepare_environment",
]

#: Blobs that travel at a time where the project does not say.
TRANSFERS = 8
ADAPTERS: Mapping[str, str] = MappingProxyType(
    {
        "jobs.local": "modelops.jobs.backends.local:LocalJobBackend",
        "artifacts.layout": "modelops_bundle.oci.layout:LayoutStore",
        "artifacts.registry": "modelops_bundle.oci.remote:RemoteStore",
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


def open_artifacts(
    config: Config,
    repository: str,
    *,
    tell: Callable[[str], None] | None = None,
    parallel: int = TRANSFERS,
) -> ArtifactStore:
    """The bundles of one repository. ``tell`` gets a line for every longer wait for a registry;
    ``parallel`` blobs travel at a time."""
    environment = open_environment(config)
    if environment.registry is None:
        external = _external(environment)
        store = _load("artifacts.layout")(environment.artifacts, repository, external=external)
    else:
        place = environment.registry
        name = place.repository(repository)
        store = open_registry(config, place, name, tell=tell, parallel=parallel)
    return cast("ArtifactStore", store)


def locate_artifacts(config: Config, repository: str) -> str:
    """The reference of a repository, without tag; nothing is opened or asked."""
    environment = open_environment(config)
    if environment.registry is not None:
        return f"{environment.registry.host}/{environment.registry.repository(repository)}"
    return f"oci:{environment.artifacts.absolute() / repository}"


def open_registry(
    config: Config,
    place: Registry,
    repository: str,
    *,
    tell: Callable[[str], None] | None = None,
    parallel: int = TRANSFERS,
) -> Any:
    """One repository of a registry, by its full name there (RemoteStore)."""
    from modelops_bundle.oci.proxies import read_proxies

    variables = read_environ()
    trusted = variables.get("MODELOPS_CA_BUNDLE")
    return _load("artifacts.registry")(
        place.host,
        repository,
        sources=find_logins(place, variables),
        login_required=place.requires_auth,
        plain_http=_is_on(variables.get("MODELOPS_BUNDLE_INSECURE")) or place.plain_http,
        ca_file=place.ca_file,
        also_trust=Path(trusted).expanduser() if trusted else None,
        proxies=read_proxies(variables),
        cache_dir=config.paths.bundle_cache,
        parallel=parallel,
        tell=tell,
        external=_external(open_environment(config)),
    )


def open_reference(
    config: Config, text: str, *, tell: Callable[[str], None] | None = None
) -> tuple[Any, str, str]:
    """The store that a bundle reference names, the tag or digest in it, and the project's name.

    ``host/repository:tag`` and ``oci:/folder:tag`` say where; ``repository:tag`` is looked for in
    the environment in force.
    """
    from modelops_bundle.oci.reference import parse_reference

    found = parse_reference(text)
    wanted = found.digest or found.tag or "latest"
    if found.layout is not None:
        folder = Path(found.layout)
        external = _external(open_environment(config))
        store = _load("artifacts.layout")(folder.parent, folder.name, external=external)
        return store, wanted, folder.name
    place = open_environment(config).registry
    if not found.host:
        return open_artifacts(config, found.repository, tell=tell), wanted, found.repository
    known = _registry_at(found.host, place)
    name = found.repository.removeprefix(f"{known.prefix}/" if known.prefix else "")
    return open_registry(config, known, found.repository, tell=tell), wanted, name


def name_in_environment(
    config: Config, host: str, repository: str, layout: str | None
) -> str | None:
    """A repository's name in the environment in force; None when it is kept elsewhere."""
    environment = open_environment(config)
    place = environment.registry
    if layout is not None:
        folder = Path(layout)
        inside = place is None and folder.is_relative_to(environment.artifacts)
        return folder.relative_to(environment.artifacts).as_posix() if inside else None
    if place is None or place.host != host:
        return None
    if not place.prefix:
        return repository
    name = repository.removeprefix(f"{place.prefix}/")
    return name if name != repository else None


def _external(environment: Environment) -> Any:
    """Access to the storage that bundles of the existing suite keep large files in."""
    from modelops_bundle.oci.external import ExternalBlobs, StorageLogin

    place = environment.storage
    if place is None:
        return ExternalBlobs()
    return ExternalBlobs(
        StorageLogin(place.connection_string, place.endpoint, place.access_key, place.secret_key)
    )


def _registry_at(host: str, place: Registry | None) -> Registry:
    """The registry of that host: the environment's own, or one that only docker's logins open.

    User name and password of the variables are for the environment's registry, where it has one;
    a reference that somebody was sent must not carry them to another machine.
    """
    if place is None:
        return Registry(host)
    return place if place.host == host else Registry(host, credentials="docker")


def _is_on(value: str | None) -> bool:
    return (value or "").strip().lower() in {"1", "true", "yes", "on"}


def open_bundle_tree(
    config: Config,
    store: ArtifactStore,
    manifest: str,
    *,
    tell: Callable[[str], None] | None = None,
) -> AbstractContextManager[OpenBundle]:
    """The files of a bundle from the cache, verified; `tell` hears of what had to be mended."""
    from modelops_bundle.opening import open_bundle

    return open_bundle(manifest, store=store, cache_dir=config.paths.bundle_cache, tell=tell)


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
    from modelops.engine.memory import share_memory
    from modelops.engine.service import open_engine as open_service

    slots = count_slots(executor, workers)
    return open_service(
        root=root,
        environment=environment,
        executor=cast("Any", executor),
        slots=slots,
        memory_budget=None if executor == "inline" else share_memory(slots),
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
