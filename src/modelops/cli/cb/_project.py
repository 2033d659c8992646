"""What the commands of `cb` know of the project: its models and targets, described by their code.

A model is described in this process when this interpreter has what the project declares, else in
the environment that is built for the project. Nothing here imports user code at module level.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops.cli._call import Call
from modelops_contracts.errors import InvalidInput, ModelOpsError, NotFound, nearest

if TYPE_CHECKING:
    from modelops_contracts.models import ModelDescription, TargetDescription
    from modelops_contracts.registry import BundleRegistry


@dataclass(frozen=True, slots=True)
class Place:
    """The folder whose code is meant, and its registry when it is a project."""

    root: Path
    registry: BundleRegistry | None

    def known(self) -> BundleRegistry:
        """The registry; NotFound where there is no project."""
        if self.registry is None:
            raise NotFound(
                f"no project here: neither {self.root} nor a folder above it holds "
                ".modelops-bundle/, so no model or target has an id",
                hint="mops bundle init",
                code="no_project",
            )
        return self.registry


@dataclass(frozen=True, slots=True)
class Chosen:
    """A target that was chosen: its id, `module:function`, output, and its weight in the set."""

    id: str
    entrypoint: str
    model_output: str
    weight: float | None  # None: what the target itself says
    data: tuple[str, ...]


def find_place(call: Call, *, cwd_import: bool = True) -> Place:
    """The project around the working directory, else (if allowed) the directory itself."""
    from modelops_bundle.project.project import find_project
    from modelops_bundle.registry import load_registry

    try:
        root = find_project(call.start).root
    except NotFound:
        if not cwd_import:
            raise
        return Place(call.start, None)
    return Place(root, load_registry(root))


def find_reference(call: Call, place: Place, model: str) -> str:
    """Return `module:Class` or `file.py:Class` for what was typed, a registered id included."""
    if ":" in model:
        check_file(call, model)
        return model
    if place.registry is not None:
        try:
            return str(resolve(call, place.registry, "model", model).entrypoint)
        except NotFound:
            if "." not in model:
                raise
    if "." in model and model.rpartition(".")[2][:1].isupper():
        module, _, name = model.rpartition(".")
        return f"{module}:{name}"
    raise InvalidInput(
        f"{model!r} names no model: give pkg.module:Class, path/file.py:Class or a registered id",
        hint="cb models",
        code="model.not_found",
    )


def check_file(call: Call, reference: str) -> None:
    """A file that was typed must be there; it is looked for from the working directory."""
    path = reference.rpartition(":")[0]
    if path.endswith(".py") and not (call.start / path).is_file():
        raise NotFound(f"{path}: no such file", hint="cb models", code="model.not_found")


def resolve(call: Call, registry: BundleRegistry, kind: str, name: str) -> Any:
    """Return the entry of a registered id; an old id works, with a warning."""
    from modelops_bundle.registry import resolve_entry

    try:
        entry, old = resolve_entry(registry, kind, name)
    except NotFound as error:
        raise with_next_command(error, kind) from error
    if old:
        call.console.warn(f"{kind.capitalize()} {old!r} was renamed to {id_of(registry, entry)!r}")
    return entry


def id_of(registry: BundleRegistry, entry: Any) -> str:
    entries: Mapping[str, Any] = {**registry.models, **registry.targets}
    return next(name for name, known in entries.items() if known is entry)


# ---------------------------------------------------------------- targets


def choose_targets(
    call: Call, place: Place, ids: Sequence[str], target_set: str | None
) -> list[Chosen]:
    """The targets that were asked for, with the weights they get there; [] when none was named."""
    if ids and target_set:
        raise InvalidInput(
            "--target and --target-set exclude each other", code="usage", exit_code=2
        )
    if target_set:
        return from_set(call, place.known(), target_set)
    if not ids:
        return []
    registry = place.known()
    chosen = [chosen_target(registry, resolve(call, registry, "target", name)) for name in ids]
    return list({item.id: item for item in chosen}.values())


def from_set(call: Call, registry: BundleRegistry, name: str) -> list[Chosen]:
    group = registry.target_sets.get(name)
    if group is None:
        near = nearest(name, registry.target_sets)
        raise NotFound(
            f"target set {name} not found" + (f"; nearest: {', '.join(near)}" if near else ""),
            hint="mops bundle target-set list",
            code="target_set.not_found",
        )
    entries = [resolve(call, registry, "target", member) for member in group.targets]
    return [
        chosen_target(registry, entry, group.weights.get(member))
        for member, entry in zip(group.targets, entries, strict=True)
    ]


def every_target(place: Place) -> list[Chosen]:
    """All registered targets, sorted by id."""
    registry = place.known()
    return [chosen_target(registry, registry.targets[name]) for name in sorted(registry.targets)]


def chosen_target(registry: BundleRegistry, entry: Any, weight: float | None = None) -> Chosen:
    return Chosen(
        id=id_of(registry, entry),
        entrypoint=entry.entrypoint,
        model_output=entry.model_output,
        weight=weight,
        data=tuple(Path(path).as_posix() for path in entry.data),
    )


def check_outputs(description: ModelDescription, targets: Sequence[Chosen]) -> None:
    """Every target's output must be one that the model has."""
    lacking = [target for target in targets if target.model_output not in description.outputs]
    if lacking:
        named = ", ".join(f"{target.id} ({target.model_output})" for target in lacking)
        raise InvalidInput(
            f"{description.class_path} has no output for target {named}; "
            f"its outputs are {', '.join(description.outputs) or 'none'}",
            hint="cb models",
            code="target.output_unknown",
        )


# ---------------------------------------------------------------- describing


@contextmanager
def open_describer(call: Call, place: Place) -> Iterator[Describer]:
    """Something that describes models and targets of this place, as its environment requires."""
    from modelops import wiring

    spec = wiring.prepare_environment(call.config, place.root, reporter=call.reporter())
    if spec.kind == "direct" and spec.python == Path(sys.executable):
        yield InProcess(place.root)
        return
    with wiring.open_engine(
        root=place.root,
        environment=spec,
        workers=1,
        log_dir=call.config.paths.logs / "describe",
        cache_dir=call.config.paths.runner_cache,
    ) as engine:
        yield InEnvironment(engine)


class Describer:
    """Asks the author's code what a model or a target is."""

    def ask(self, kind: str, reference: str) -> dict[str, Any]:
        raise NotImplementedError

    def model(self, reference: str) -> ModelDescription:
        from modelops_contracts.models import ModelDescription

        return ModelDescription.from_json(self.ask("model", reference))

    def target(self, entrypoint: str) -> TargetDescription:
        from modelops_contracts.models import TargetDescription

        return TargetDescription.from_json(self.ask("target", entrypoint))


class InProcess(Describer):
    """Imports the author's module here: fast, and only what that module imports."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ask(self, kind: str, reference: str) -> dict[str, Any]:
        import os

        from modelops_calabaria.modelops_wire import describe_function

        before = Path.cwd()
        os.chdir(self.root)  # where the wire stands in every other environment, too
        try:
            return describe_function(kind, reference)
        except ModelOpsError as error:
            # The project's own list helps with a name that cannot be imported, and only with that.
            if isinstance(error, ImportError) and error.code != "package_missing":
                raise with_next_command(error, kind) from error
            raise
        except Exception as error:
            raise import_failed(kind, reference, error) from error
        finally:
            os.chdir(before)


class InEnvironment(Describer):
    """Asks a runner process in the environment that was built for the project."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def ask(self, kind: str, reference: str) -> dict[str, Any]:
        from modelops_contracts.errors import SimulationFailed

        try:
            answer: dict[str, Any] = self.engine.describe(kind, reference)
        except SimulationFailed as error:
            raise SimulationFailed(
                str(error),
                remote_traceback=error.remote_traceback,
                hint=error.hint or f"cb {kind}s",
                code=f"{kind}.import_failed",
            ) from error
        return answer


def with_next_command(error: ModelOpsError, kind: str) -> ModelOpsError:
    """The same about a name that was not found, with the command that lists the names there are."""
    told = f"; {error.hint.rstrip('?')}?" if error.hint and error.hint.endswith("?") else ""
    return NotFound(f"{error}{told}", hint=f"cb {kind}s", code=error.code, details=error.details)


def import_failed(kind: str, reference: str, error: Exception) -> ModelOpsError:
    """The author's code raised while it was imported: its own traceback is what helps."""
    from traceback import format_exception

    from modelops_contracts.errors import SimulationFailed

    if isinstance(error, ModuleNotFoundError) and error.name:
        what = f"it needs the package {error.name}, which is not installed here"
    else:
        what = f"{type(error).__name__}: {error}"
    return SimulationFailed(
        f"{kind} {reference} cannot be loaded: {what}",
        remote_traceback="".join(format_exception(error)),
        code=f"{kind}.import_failed",
    )
