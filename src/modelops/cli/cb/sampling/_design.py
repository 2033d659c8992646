"""What every sampling design's command does: describe the model, draw, write the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelops.cli._call import Call
from modelops.cli.cb._project import (
    Chosen,
    check_outputs,
    choose_targets,
    find_place,
    find_reference,
    open_describer,
)
from modelops.cli.cb._spec import (
    Written,
    check_scenario,
    choose_path,
    common_options,
    parameter_rows,
    read_bounds,
    read_fixed,
    set_weights,
    usage,
    write_file,
)

if TYPE_CHECKING:
    from modelops_contracts.models import ModelDescription
    from modelops_contracts.study import SimulationStudy

F = TypeVar("F", bound=Callable[..., Any])
Options = Mapping[str, Any]

MODEL = click.argument("model")
STUDY_OPTIONS = (
    click.option(
        "-r",
        "--n-replicates",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Replicates of each parameter set.",
    ),
    click.option(
        "--param",
        "bounds",
        multiple=True,
        metavar="NAME:LOWER:UPPER",
        help="Narrow the bounds of a parameter (repeatable).",
    ),
    click.option("--tag", "tags", multiple=True, metavar="K=V", help="Tag (repeatable)."),
)
SAMPLES = click.option(
    "-n",
    "--n-samples",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Parameter sets to draw.",
)
SEED = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=42,
    show_default=True,
    help="Seed of the design; stored in the study.",
)
SCRAMBLE = click.option(
    "--scramble/--no-scramble", default=True, show_default=True, help="Scramble the sequence."
)


def study_options(function: F) -> F:
    """MODEL, and the options that all designs have."""
    function = common_options(function)
    for option in reversed(STUDY_OPTIONS):
        function = option(function)
    return MODEL(function)


def generate_study(
    call: Call,
    options: Options,
    *,
    method: str,
    make_design: Callable[[Any], Any],
    n: int | None,
) -> Written:
    """Write the study that was asked for. Everything is checked before the file is touched.

    `make_design(space)` makes the design over the free parameters; `n` is None for designs whose
    size follows from themselves.
    """
    path = choose_path(call, options["output"], options["name"], "study.json")
    tags = read_tags(options["tags"])
    place = find_place(call, cwd_import=not options["no_cwd_import"])
    targets = choose_targets(call, place, options["targets"], options["target_set"])
    reference = find_reference(call, place, options["model"])
    with open_describer(call, place) as describer:
        description = describer.model(reference)
    check_scenario(options["scenario"], description)
    check_outputs(description, targets)
    bounds = read_bounds(options["bounds"], description)
    fixed = read_fixed(options["fixed"], description)
    study = build(call, description, options, make_design, n, bounds, fixed)
    study = with_targets(study, targets, options["target_set"], tags)
    digest = write_file(call, study, path)
    return Written(
        kind="study",
        name=options["name"],
        model=description.class_path,
        scenario=study.scenario,
        method=method,
        parameters=parameter_rows(description, bounds, fixed, {}),
        targets=[target.id for target in targets],
        replicates=study.n_replicates,
        parameter_sets=study.parameter_count(),
        simulations=study.total_simulation_count(),
        trials=None,
        path=None if path is None else str(path),
        digest=digest,
    )


def build(
    call: Call,
    description: ModelDescription,
    options: Options,
    make_design: Callable[[Any], Any],
    n: int | None,
    bounds: Mapping[str, tuple[Any, Any]],
    fixed: Mapping[str, Any],
) -> SimulationStudy:
    from modelops_calabaria.sampling.study import build_study, space_from_description

    return build_study(
        description,
        make_design(space_from_description(description)),
        n=n,
        scenario=options["scenario"],
        n_replicates=options["n_replicates"],
        bounds=bounds or None,
        fixed=fixed or None,
        name=options["name"],
        warn=call.console.warn,
    )


def with_targets(
    study: SimulationStudy,
    targets: Sequence[Chosen],
    target_set: str | None,
    tags: Mapping[str, str],
) -> SimulationStudy:
    """The study with its tags, scored on these targets with the weights they have now."""
    study = replace(study, metadata={**study.metadata, "tags": dict(tags)})
    if not targets:
        return study
    study = study.with_targets(
        [target.entrypoint for target in targets], [target.id for target in targets], target_set
    )
    weights = set_weights(targets)
    if not weights:
        return study
    return replace(study, metadata={**study.metadata, "target_weights": weights})


def read_tags(items: Sequence[str]) -> dict[str, str]:
    tags = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise usage(f"--tag {item}: expected k=v")
        tags[key] = value
    return tags
