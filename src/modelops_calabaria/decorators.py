"""Decorators that mark outputs and scenarios of a model, and targets of a project."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from modelops_calabaria.constants import METADATA_OUTPUT
from modelops_calabaria.parameters.named import did_you_mean
from modelops_contracts.errors import InvalidType, InvalidValue, MissingFile

__all__ = [
    "calibration_target",
    "discover_decorated_methods",
    "get_registered_targets",
    "model_output",
    "model_scenario",
]

F = TypeVar("F", bound=Callable[..., Any])

_targets: dict[str, Callable[..., Any]] = {}


# ---------------------------------------------------------------- methods of a model


def model_output(name: str, metadata: Mapping[str, Any] | None = None) -> Callable[[F], F]:
    """Mark ``method(self, raw, seed)`` as the extractor of the output ``name``.

    Raises TypeError when it is no such method, ValueError for an empty or reserved name, or when
    the method already extracts an output of a different name.
    """
    _refuse_bad_output_name(name)

    def mark(method: F) -> F:
        _refuse_non_method(method, name, "model_output", arguments=3)
        _refuse_second_name(method, "_output_name", name)
        _set_marks(
            method,
            _is_model_output=True,
            _output_name=name,
            _output_metadata=dict(metadata or {}),
        )
        return method

    return mark


def _refuse_bad_output_name(name: str) -> None:
    if not _is_text(name):
        raise InvalidValue(
            f"model_output needs a name, got {name!r}", hint='write @model_output("incidence")'
        )
    if name == METADATA_OUTPUT:
        raise InvalidValue(f"output name '{METADATA_OUTPUT}' is reserved; choose another")


def model_scenario(name: str) -> Callable[[F], F]:
    """Mark ``method(self) -> ScenarioSpec`` as the scenario ``name``."""
    if not _is_text(name):
        raise InvalidValue(
            f"model_scenario needs a name, got {name!r}", hint='write @model_scenario("lockdown")'
        )

    def mark(method: F) -> F:
        _refuse_non_method(method, name, "model_scenario", arguments=1)
        _refuse_second_name(method, "_scenario_name", name)
        _set_marks(method, _is_model_scenario=True, _scenario_name=name)
        return method

    return mark


def _is_text(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def _set_marks(method: object, **marks: Any) -> None:
    for key, value in marks.items():
        setattr(method, key, value)


def _refuse_non_method(method: object, name: str, decorator: str, *, arguments: int) -> None:
    wanted = "(self, raw, seed)" if arguments == 3 else "(self)"
    text = f"@{decorator}('{name}') must be an instance method with arguments {wanted}"
    if isinstance(method, staticmethod | classmethod | property | type) or not callable(method):
        raise InvalidType(f"{text}, not a {type(method).__name__}")
    parameters = list(inspect.signature(method).parameters.values())
    if not parameters or parameters[0].name != "self" or not _takes(parameters, arguments):
        found = f"({', '.join(str(p) for p in parameters)})"
        raise InvalidType(f"{text}, found {found}")


def _takes(parameters: list[inspect.Parameter], count: int) -> bool:
    """True when ``count`` positional arguments are accepted and suffice."""
    positional = [
        p
        for p in parameters
        if p.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    ]
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return len(positional) <= count
    needed = sum(p.default is inspect.Parameter.empty for p in positional)
    keyword_needed = any(
        p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is inspect.Parameter.empty
        for p in parameters
    )
    return needed <= count <= len(positional) and not keyword_needed


def _refuse_second_name(method: object, mark: str, name: str) -> None:
    earlier = getattr(method, mark, name)
    if earlier != name:
        raise InvalidValue(f"method already has a different name '{earlier}', cannot be '{name}'")


def discover_decorated_methods(
    cls: type,
) -> tuple[dict[str, Callable[..., Any]], dict[str, Callable[..., Any]]]:
    """Outputs and scenarios of a class as ``({output: method}, {scenario: method})``.

    The whole method resolution order counts, mixins included. The nearest definition wins, with its
    decorator or without: a method that is redefined plainly is no output any more. Raises TypeError
    when two methods of one class carry one name.
    """
    return _collect(cls, "_output_name"), _collect(cls, "_scenario_name")


def _collect(cls: type, mark: str) -> dict[str, Callable[..., Any]]:
    found: dict[str, tuple[type, str]] = {}
    hidden: set[str] = set()
    for owner in cls.__mro__:
        for attribute, name in _marked_by(owner, mark):
            if attribute in hidden:
                continue
            earlier = found.setdefault(name, (owner, attribute))
            if earlier[0] is owner and earlier[1] != attribute:
                raise _defined_twice(owner, mark, name, earlier[1], attribute)
        hidden.update(vars(owner))
    return {name: getattr(cls, attribute) for name, (_, attribute) in found.items()}


def _marked_by(owner: type, mark: str) -> list[tuple[str, str]]:
    """(attribute, name) of the methods that this very class marks."""
    functions = ((key, value) for key, value in vars(owner).items() if inspect.isfunction(value))
    marked = ((key, getattr(value, mark, None)) for key, value in functions)
    return [(key, name) for key, name in marked if isinstance(name, str)]


def _defined_twice(owner: type, mark: str, name: str, first: str, second: str) -> InvalidType:
    what = "output" if mark == "_output_name" else "scenario"
    return InvalidType(
        f"{owner.__name__}: {what} '{name}' is defined twice, by {first} and {second}"
    )


# ---------------------------------------------------------------- targets


_KEYWORDS = ("model_output", "data", "name", "weight", "labels")


def calibration_target(**metadata: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function that builds a target from its data files.

    Keywords: ``model_output`` (required), ``data`` ({key: path}), ``name``, ``weight``, ``labels``.
    The result is called without arguments and hands ``{key: Path}`` to the function; its keyword
    ``data_paths`` replaces single paths. Relative paths are looked up in the project that holds the
    function's file, else in the working directory.
    """
    _refuse_bad_metadata(metadata)

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = str(metadata.get("name") or function.__name__)
        target = _bind_data(name, function, dict(metadata.get("data") or {}))
        _set_marks(
            target,
            _target_metadata={"name": name, **metadata},
            _original_func=function,
        )
        _register(name, target, function)
        return target

    return register


def _refuse_bad_metadata(metadata: Mapping[str, Any]) -> None:
    if not metadata.get("model_output"):
        raise InvalidType(
            "calibration_target needs model_output=",
            hint='write @calibration_target(model_output="incidence", data={"obs": "data/x.csv"})',
        )
    _refuse_misspelled(metadata)
    if not isinstance(metadata.get("name", ""), str | None):
        raise InvalidType(f"calibration_target: name must be text, not {metadata['name']!r}")
    data = metadata.get("data") or {}
    if not isinstance(data, Mapping) or not all(
        isinstance(path, str | PathLike) for path in data.values()
    ):
        raise InvalidType(f"calibration_target: data must map keys to paths, not {data!r}")
    weight = metadata.get("weight", 1.0)
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not number or not 0 <= weight < float("inf"):
        raise InvalidValue(f"calibration_target: weight must be finite and >= 0, got {weight!r}")


def _refuse_misspelled(metadata: Mapping[str, Any]) -> None:
    """Keywords of the author's own are kept; one that all but names one of ours is a slip."""
    from difflib import get_close_matches

    for name in set(metadata) - set(_KEYWORDS):
        meant = get_close_matches(name, _KEYWORDS, n=1, cutoff=0.8)
        if meant:
            raise InvalidType(
                f"calibration_target has no keyword '{name}'; did you mean {meant[0]}?",
                hint="keywords of your own need a name of their own",
            )


def _bind_data(
    name: str, function: Callable[..., Any], data: Mapping[str, str]
) -> Callable[..., Any]:
    if is_plain_function(function):
        return _passed_on(function)
    takes_data = bool(inspect.signature(function).parameters)

    @wraps(function)
    def target(*, data_paths: Mapping[str, str | Path] | None = None) -> Any:
        given = dict(data_paths or {})
        for key in given:
            if key not in data:
                hint = did_you_mean(key, data)
                raise InvalidValue(f"target {name}: no data file '{key}'", hint=hint)
        if not takes_data:
            return function()
        chosen = {**data, **given}
        return function({key: _locate(name, key, path, function) for key, path in chosen.items()})

    # Callers look at the signature to learn how to call it; the author's would mislead them.
    target.__signature__ = inspect.signature(  # type: ignore[attr-defined]
        target, follow_wrapped=False
    )
    return target


def is_plain_function(source: object) -> bool:
    """True for a function that cannot be called without exactly two positional arguments."""
    function = getattr(source, "_original_func", source)
    if not inspect.isfunction(function) and not inspect.ismethod(function):
        return False
    parameters = inspect.signature(function).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind in positional]
    also = [p for p in parameters if p.default is p.empty and p.kind is p.KEYWORD_ONLY]
    return len(needed) == 2 and not also


def _passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of simulated returns is called by whoever has them, as it stands."""

    @wraps(function)
    def target(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return target


def locate_data(source: Any) -> dict[str, Path]:
    """{key: absolute path} of the files that a decorated function declares.

    Raises MissingFile for one that is not there.
    """
    metadata, function = source._target_metadata, source._original_func
    declared: Mapping[str, str] = metadata.get("data") or {}
    name = str(metadata["name"])
    return {key: _locate(name, key, path, function) for key, path in declared.items()}


def _locate(name: str, key: str, path: str | Path, function: Callable[..., Any]) -> Path:
    full = Path(path)
    if not full.is_absolute():
        full = _project_root(_source_file(function).parent) / full
    if not full.exists():
        raise MissingFile(
            f"target {name}: data file '{key}' not found: {full}",
            hint="paths are relative to the project's root",
        )
    return full


def _source_file(function: Callable[..., Any]) -> Path:
    return Path(inspect.unwrap(function).__code__.co_filename)


def _project_root(start: Path) -> Path:
    """The nearest folder that is a project, not looking beyond the working directory."""
    here = Path.cwd()
    for folder in (start, *start.parents):
        is_project = (folder / ".modelops-bundle").is_dir() or (folder / "pyproject.toml").is_file()
        if is_project or folder == here:
            return folder
    return here


def _register(name: str, target: Callable[..., Any], function: Callable[..., Any]) -> None:
    earlier = _targets.get(name)
    if earlier is not None and not _is_same_function(earlier, function):
        raise InvalidValue(
            f"target '{name}' is already registered by {_where(earlier)}",
            hint="give one of them another name=",
        )
    _targets[name] = target


def _is_same_function(target: Callable[..., Any], function: Callable[..., Any]) -> bool:
    """True for one function of one file, also when its module was loaded twice.

    In a notebook or at the prompt a redefinition is the same function, edited.
    """
    original = getattr(target, "_original_func", target)
    if original.__qualname__ != function.__qualname__:
        return False
    interactive = original.__module__ == function.__module__ == "__main__"
    return interactive or _source_file(original) == _source_file(function)


def _where(target: Callable[..., Any]) -> str:
    return f"{target.__module__}.{target.__qualname__}"


def get_registered_targets() -> dict[str, Callable[..., Any]]:
    """Targets registered in this process so far, by name; a copy."""
    return dict(_targets)
