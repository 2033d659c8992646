"""What all commands that write a study or a calibration share: words, checks, file, summary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelops.cli._call import Call
from modelops.cli._complete import target_sets
from modelops.cli._console import Screen, pairs, plural
from modelops.cli._options import targets_option
from modelops.cli.cb._project import Chosen
from modelops_contracts.errors import InvalidInput, NotFound, nearest

if TYPE_CHECKING:
    from modelops_contracts.models import ModelDescription

F = TypeVar("F", bound=Callable[..., Any])
USAGE = 2


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """A parameter of the file: free between bounds, or fixed to a value."""

    name: str
    lower: float | int | None
    upper: float | int | None
    transform: str | None
    fixed: float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Written:
    """A study or calibration file that was written. `path` is None when it went to stdout."""

    kind: str
    name: str | None
    model: str
    scenario: str
    method: str
    parameters: list[ParameterRow]
    targets: list[str]
    replicates: int
    parameter_sets: int | None
    simulations: int | None
    trials: int | None
    path: str | None
    digest: str


def render(answer: Written, screen: Screen) -> Iterator[str]:
    if answer.path is None:  # the file itself is the answer on stdout
        return
    yield summary_line(answer)
    rows: list[tuple[str, object]] = [
        ("Name", answer.name),
        ("Model", answer.model),
        ("Scenario", answer.scenario),
        ("Sampling" if answer.kind == "study" else "Algorithm", answer.method),
        ("Parameters", counts(answer)),
        ("Targets", ", ".join(answer.targets) or "all that are registered"),
        ("Output", answer.path),
    ]
    rows += [(f"  {item.name}", range_text(item)) for item in answer.parameters]
    yield from pairs(rows)
    yield f"Next: mops run {answer.path}"
    yield f"      mops jobs submit {answer.path}"


def summary_line(answer: Written) -> str:
    if answer.parameter_sets is not None:
        return f"Generated a study of {plural(answer.parameter_sets, 'parameter set')}"
    return f"Generated a calibration of {plural(answer.trials or 0, 'trial')}"


def counts(answer: Written) -> str:
    replicates = plural(answer.replicates, "replicate")
    if answer.parameter_sets is not None:
        sets = plural(answer.parameter_sets, "set")
        return f"{sets} x {replicates} = {plural(answer.simulations or 0, 'simulation')}"
    free = sum(item.fixed is None for item in answer.parameters)
    return f"{free} free, at most {plural(answer.trials or 0, 'trial')} x {replicates}"


def range_text(item: ParameterRow) -> str:
    if item.fixed is not None:
        return f"= {item.fixed}"
    scale = f" ({item.transform})" if item.transform not in (None, "identity") else ""
    return f"{item.lower} to {item.upper}{scale}"


# ---------------------------------------------------------------- words of the command line


def common_options(function: F) -> F:
    """The options that every command which writes a file has."""
    for option in reversed(COMMON):
        function = option(function)
    return function


COMMON = (
    click.option(
        "-s", "--scenario", default="baseline", show_default=True, help="Scenario of the model."
    ),
    click.option(
        "--fix", "fixed", multiple=True, metavar="NAME=VALUE", help="Fix a parameter (repeatable)."
    ),
    targets_option,
    click.option(
        "--target-set",
        metavar="NAME",
        shell_complete=target_sets,
        help="Registered set of targets.",
    ),
    click.option("--name", help="Name of the study or calibration; also names the file."),
    click.option("-o", "--output", metavar="FILE", help="File to write; - for stdout."),
    click.option(
        "--no-cwd-import",
        is_flag=True,
        help="Import from a project only, never from the working directory.",
    ),
)


def usage(message: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(message, hint=hint, code="usage", exit_code=USAGE)


def read_value(text: str) -> float | int | str:
    """A number when it reads as one, whole when it is written so; else the text."""
    for reader in (int, float):
        try:
            return reader(text)
        except ValueError:
            continue
    return text


def read_number(text: str, where: str) -> float | int:
    value = read_value(text)
    if isinstance(value, str) or not isfinite(value):
        raise usage(f"{where}: {text!r} is no number")
    return value


def read_fixed(items: Sequence[str], description: ModelDescription) -> dict[str, Any]:
    """`["gamma=0.1"]` -> {"gamma": 0.1}; every name must be a parameter of the model."""
    fixed: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise usage(f"--fix {item}: expected name=value")
        if name in fixed:
            raise usage(f"--fix {name} is given twice")
        fixed[name] = read_number(text, f"--fix {name}")
    check_names(fixed, description)
    return fixed


def read_bounds(items: Sequence[str], description: ModelDescription) -> dict[str, tuple[Any, Any]]:
    """`["beta:0.1:0.9"]` -> {"beta": (0.1, 0.9)}, inside the bounds that the model declares."""
    bounds = {}
    for item in items:
        parts = item.split(":")
        if len(parts) != 3 or not all(parts):
            raise usage(f"--param {item}: expected name:lower:upper")
        name = parts[0]
        if name in bounds:
            raise usage(f"--param {name} is given twice")
        where = f"--param {name}"
        bounds[name] = (read_number(parts[1], where), read_number(parts[2], where))
    check_names(bounds, description)
    for name, (lower, upper) in bounds.items():
        check_bounds(name, lower, upper, description)
    return bounds


def check_names(names: Mapping[str, Any], description: ModelDescription) -> None:
    known = description.parameter_names
    unknown = [name for name in names if name not in known]
    if unknown:
        near = nearest(unknown[0], known)
        raise InvalidInput(
            f"{description.class_path} has no parameter {', '.join(unknown)}; "
            + (f"nearest: {', '.join(near)}" if near else f"it has {', '.join(known)}"),
            hint="cb models",
            code="parameter.unknown",
        )


def check_bounds(name: str, lower: float, upper: float, description: ModelDescription) -> None:
    """Bounds may be narrowed, never widened; those of a whole number are whole numbers."""
    declared = description.parameter(name)
    assert declared is not None, name
    least, most = declared["lower"], declared["upper"]
    if not lower < upper:
        raise InvalidInput(
            f"parameter {name}: lower bound {lower} is not below upper bound {upper}",
            code="parameter.bounds",
        )
    if lower < least or upper > most:
        raise InvalidInput(
            f"parameter {name}: {lower} to {upper} is outside the bounds {least} to {most} "
            f"that {description.class_path} declares",
            hint=f"narrow it: {name}:{max(lower, least)}:{min(upper, most)}",
            code="parameter.bounds",
        )
    if declared.get("kind") == "int" and not (
        float(lower).is_integer() and float(upper).is_integer()
    ):
        raise InvalidInput(
            f"parameter {name} is a whole number; its bounds {lower} and {upper} must be, too",
            code="parameter.bounds",
        )


def check_scenario(scenario: str, description: ModelDescription) -> None:
    if scenario in description.scenarios or scenario == "baseline":
        return
    near = nearest(scenario, description.scenarios)
    raise InvalidInput(
        f"{description.class_path} has no scenario {scenario}; "
        + (f"nearest: {', '.join(near)}" if near else f"it has {names_of(description)}"),
        hint="cb models",
        code="scenario.unknown",
    )


def names_of(description: ModelDescription) -> str:
    return ", ".join(sorted({"baseline", *description.scenarios}))


# ---------------------------------------------------------------- the file


def choose_path(call: Call, output: str | None, name: str | None, default: str) -> Path | None:
    """Where the file goes: `-o`, else a slug of the name, else the default. None: to stdout."""
    if output == "-":
        return None
    if output is not None:
        path = Path(output).expanduser()
    else:
        path = Path(f"{slug(name)}.json" if name is not None else default)
    if not path.parent.is_dir():
        raise NotFound(
            f"{path}: there is no folder {path.parent}",
            hint=f"mkdir -p {path.parent}",
            code="output.folder",
        )
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder; -o takes a file", code="output.folder")
    return path


def slug(name: str) -> str:
    """`Dry season, 2nd try` -> `dry-season-2nd-try`; refused when nothing is left."""
    text = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")
    if not text:
        raise usage(f"--name {name!r} gives no file name", "choose a name with letters or digits")
    return text


def write_file(call: Call, spec: Any, path: Path | None) -> str:
    """Write the specification and return its sha256. Without a path it is the answer on stdout."""
    import hashlib
    import json

    text = json.dumps(spec.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    if path is not None:
        from modelops_contracts.study import write_spec

        write_spec(spec, path)
    elif call.console.json:
        raise usage("-o - and --json both want stdout", "choose one of them")
    else:
        call.console.print([text])
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def parameter_rows(
    description: ModelDescription,
    bounds: Mapping[str, tuple[Any, Any]],
    fixed: Mapping[str, Any],
    transforms: Mapping[str, str | None],
) -> list[ParameterRow]:
    """One row per parameter of the model, in its order, as it will be used."""
    rows = []
    for spec in description.parameters:
        name = spec["name"]
        if name in fixed:
            rows.append(ParameterRow(name, None, None, None, fixed[name]))
        else:
            lower, upper = bounds.get(name, (spec["lower"], spec["upper"]))
            transform = transforms.get(name) or spec.get("transform")
            rows.append(ParameterRow(name, lower, upper, transform, None))
    return rows


def set_weights(targets: Sequence[Chosen]) -> dict[str, float]:
    """The weights that a target set gives; all others stay those of the targets."""
    return {target.id: target.weight for target in targets if target.weight is not None}
