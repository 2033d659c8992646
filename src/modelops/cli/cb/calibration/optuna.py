"""`cb calibration optuna`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import models
from modelops.cli.cb._project import (
    Chosen,
    Describer,
    Place,
    check_outputs,
    choose_targets,
    every_target,
    find_place,
    find_reference,
    open_describer,
)
from modelops.cli.cb._spec import (
    Written,
    check_bounds,
    check_names,
    check_scenario,
    choose_path,
    common_options,
    parameter_rows,
    read_fixed,
    read_number,
    render,
    set_weights,
    usage,
    write_file,
)
from modelops_contracts.errors import NotFound

if TYPE_CHECKING:
    from modelops_contracts.models import ModelDescription, TargetDescription
    from modelops_contracts.study import CalibrationSpec

SAMPLERS = ("tpe", "cmaes", "random", "qmc", "grid")
Free = dict[str, tuple[Any, Any, str | None]]


@command(answer=Written, render=render)
@common_options
@click.argument("model", shell_complete=models)
@click.argument("observed", type=click.Path(path_type=Path))
@click.argument("parameters")
@click.option(
    "-m",
    "--max-iterations",
    type=click.IntRange(min=1),
    default=1_000_000,
    show_default=True,
    help="Batches of trials at most.",
)
@click.option(
    "--max-trials",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Parameter sets to evaluate in the search.",
)
@click.option(
    "-b",
    "--batch-size",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Evaluations in flight at once.",
)
@click.option(
    "-r",
    "--n-replicates",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Replicates of each trial; a deterministic model needs and gets one.",
)
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    help="How trials are proposed. Default: cmaes for a deterministic model with at least two free "
    "float parameters, else tpe.",
)
@click.option(
    "--n-startup-trials",
    type=click.IntRange(min=1),
    help="Trials before tpe starts to learn (default: by the number of free parameters).",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the search and of its replicates; stored in the file.",
)
@click.option(
    "--rescore-top-k",
    type=click.IntRange(min=1),
    help="Best trials to simulate again with fresh seeds (default: by --max-trials, 5 to 20).",
)
@click.option(
    "--rescore-replicates",
    type=click.IntRange(min=1),
    help="Replicates of each of them (default: 4 times those of a trial, at least 20).",
)
@click.option(
    "--confirm-replicates",
    type=click.IntRange(min=1),
    help="Replicates of the winner's confirmation (default: twice --rescore-replicates).",
)
def optuna(call: Call, **options: Any) -> Written:
    """Write a calibration: which parameters to fit to which targets, and how to search.

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model. OBSERVED is the
    file with the observations that the targets read. PARAMETERS lists the free parameters as
    name:lower:upper[:transform], separated by commas; transforms are identity, log and logit.
    Parameters that are neither free nor fixed (--fix) take their default. Without --target and
    --target-set all registered targets are used.
    """
    free = read_parameters(options["parameters"])
    path = choose_path(call, options["output"], options["name"], "calibration.json")
    place = find_place(call, cwd_import=not options["no_cwd_import"])
    observed = find_observed(call, place, options["observed"])
    targets = choose_targets(
        call, place, options["targets"], options["target_set"]
    ) or every_target(place)
    if not targets:
        raise NotFound(
            f"no target is registered in {place.root}",
            hint="mops bundle register-target FILE",
            code="target.not_found",
        )
    warn_unread(call, observed, targets)
    reference = find_reference(call, place, options["model"])
    with open_describer(call, place) as describer:
        description = describer.model(reference)
        check(description, options["scenario"], free, targets)
        fixed = read_fixed(options["fixed"], description)
        described = describe_targets(describer, targets)
    spec = build(description, described, targets, free, fixed, observed, options)
    digest = write_file(call, spec, path)
    return summarise(description, spec, free, fixed, targets, path, digest)


def read_parameters(text: str) -> Free:
    """`beta:0.1:0.9:log,n0:1:9` -> {"beta": (0.1, 0.9, "log"), "n0": (1, 9, None)}."""
    free: Free = {}
    for piece in text.split(","):
        parts = [part.strip() for part in piece.split(":")]
        if len(parts) not in {3, 4} or not all(parts):
            raise usage(f"PARAMETERS: {piece!r} is not name:lower:upper[:transform]")
        name, where = parts[0], f"PARAMETERS: {parts[0]}"
        if name in free:
            raise usage(f"PARAMETERS: {name} is given twice")
        transform = parts[3] if len(parts) == 4 else None
        free[name] = (read_number(parts[1], where), read_number(parts[2], where), transform)
    return free


def find_observed(call: Call, place: Place, observed: Path) -> str:
    """The observed file as it is stored: relative to the project where it lies in there."""
    absolute = (call.start / observed).absolute()
    if not absolute.is_file():
        raise NotFound(
            f"{observed}: no such file; it is looked for from {call.start}",
            hint="cb targets",
            code="observed.not_found",
        )
    root = place.root.absolute()
    inside = absolute.is_relative_to(root)
    return absolute.relative_to(root).as_posix() if inside else str(absolute)


def warn_unread(call: Call, observed: str, targets: Sequence[Chosen]) -> None:
    if all(observed not in target.data for target in targets):
        names = ", ".join(target.id for target in targets)
        call.console.warn(f"none of the targets ({names}) reads {observed}")


def check(
    description: ModelDescription, scenario: str, free: Free, targets: Sequence[Chosen]
) -> None:
    check_scenario(scenario, description)
    check_names(free, description)
    for name, (lower, upper, _) in free.items():
        check_bounds(name, lower, upper, description)
    check_outputs(description, targets)


def describe_targets(
    describer: Describer, targets: Sequence[Chosen]
) -> list[tuple[str, TargetDescription]]:
    return [(target.id, describer.target(target.entrypoint)) for target in targets]


def build(
    description: ModelDescription,
    described: Sequence[tuple[str, TargetDescription]],
    targets: Sequence[Chosen],
    free: Free,
    fixed: dict[str, Any],
    observed: str,
    options: dict[str, Any],
) -> CalibrationSpec:
    from modelops_calabaria.calibration.builders import build_calibration

    return build_calibration(
        description,
        described,
        parameters=free,
        fixed=fixed,
        scenario=options["scenario"],
        observed_file=observed,
        max_trials=options["max_trials"],
        batch_size=options["batch_size"],
        n_replicates=options["n_replicates"],
        sampler=options["sampler"],
        n_startup_trials=options["n_startup_trials"],
        seed=options["seed"],
        target_set=options["target_set"],
        weights=set_weights(targets),
        name=options["name"],
        max_iterations=options["max_iterations"],
        extra=rescoring(options),
    )


def rescoring(options: dict[str, Any]) -> dict[str, Any]:
    """What was asked of the rescoring; the rest of it keeps its defaults."""
    given = {
        "top_k": options["rescore_top_k"],
        "n_replicates": options["rescore_replicates"],
        "confirm": options["confirm_replicates"],
    }
    asked = {key: value for key, value in given.items() if value is not None}
    return {"rescore": asked} if asked else {}


def summarise(
    description: ModelDescription,
    spec: CalibrationSpec,
    free: Free,
    fixed: dict[str, Any],
    targets: Sequence[Chosen],
    path: Path | None,
    digest: str,
) -> Written:
    config = spec.algorithm_config
    bounds = {name: (lower, upper) for name, (lower, upper, _) in free.items()}
    transforms = {name: transform for name, (_, _, transform) in free.items()}
    rows = parameter_rows(description, bounds, fixed, transforms)
    return Written(
        kind="calibration",
        name=spec.metadata.get("name"),
        model=description.class_path,
        scenario=spec.scenario,
        method=f"{spec.algorithm} ({config['sampler']['type']})",
        parameters=[row for row in rows if row.fixed is not None or row.name in free],
        targets=[target.id for target in targets],
        replicates=1 if description.deterministic else config["n_replicates"],
        parameter_sets=None,
        simulations=None,
        trials=config["max_trials"],
        path=None if path is None else str(path),
        digest=digest,
    )
