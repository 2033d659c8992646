"""What every sampling design's command does: describe the model, draw, write the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from modelops.cli._call import Call
from modelops.cli._click import is_common
from modelops.cli._complete import models
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

MODEL = click.argument("model", shell_complete=models)
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


def extend_option(what: str) -> Callable[[F], F]:
    return click.option(
        "--extend",
        type=click.Path(path_type=Path),
        metavar="STUDY",
        help=f"Add {what}; all else stays as it says.",
    )


EXTEND = extend_option("the next -n parameter sets of this study's own design")
# What may be said beside --extend; everything else is in the study already.
BESIDE_EXTEND = {
    "extend",
    "n_samples",
    "grid_points",
    "table",
    "output",
    "model",
    "no_cwd_import",
}


def study_options(function: F) -> F:
    """MODEL, and the options that all designs have."""
    function = common_options(function)
    for option in reversed(STUDY_OPTIONS):
        function = option(function)
    return MODEL(function)


def seeded_options(function: F) -> F:
    """What designs of so many rows take, beside what all take: their size and their seed."""
    return study_options(SAMPLES(SEED(function)))


def draw_extendable(
    call: Call,
    options: Options,
    *,
    method: str,
    n: int,
    extend: Path | None,
    **settings: Any,
) -> Written:
    """A study of `n` rows of a design that can be continued, or the next `n` rows of `extend`."""
    if extend is not None:
        return extend_file(call, options, extend, method=method, n=n)
    from modelops_calabaria.sampling.registry import make_sampler

    return generate_study(
        call,
        options,
        method=method,
        make_design=lambda space: make_sampler(method, space, **settings),
        n=n,
    )


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


def extend_file(
    call: Call, options: Options, extend: Path, *, method: str, n: int | None
) -> Written:
    """Write a study with more parameter sets of its design behind those it has.

    `n` is the number of new rows, of points per parameter of a grid, or None for all of a file.
    """
    from modelops_calabaria.sampling.study import extend_study

    refuse_settled()
    study = load_study(call, extend, method)
    path = choose_path(call, options["output"] or str(call.start / extend), None, "study.json")
    place = find_place(call, cwd_import=not options["no_cwd_import"])
    reference = find_reference(call, place, options["model"])
    with open_describer(call, place) as describer:
        description = describer.model(reference)
    whole = study.joined(extend_study(study, n, description, warn=call.console.warn))
    digest = write_file(call, whole, path)
    design = study.metadata["design"]
    bounds = {name: tuple(pair) for name, pair in (design.get("bounds") or {}).items()}
    fixed = study.metadata.get("fixed") or {}
    return Written(
        kind="study",
        name=study.metadata.get("name"),
        model=description.class_path,
        scenario=whole.scenario,
        method=method,
        parameters=parameter_rows(description, bounds, fixed, {}),
        targets=list(whole.metadata.get("target_ids") or whole.targets or ()),
        replicates=whole.n_replicates,
        parameter_sets=whole.parameter_count(),
        simulations=whole.total_simulation_count(),
        trials=None,
        path=None if path is None else str(path),
        digest=digest,
    )


def refuse_settled() -> None:
    """Options that the study has decided: with other values its rows would be no single design."""
    context = click.get_current_context()
    given = [
        param.opts[-1]
        for param in context.command.params
        if not is_common(param)
        and param.name not in BESIDE_EXTEND
        and context.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise usage(f"--extend takes {', '.join(given)} from the study", "leave it out")


def load_study(call: Call, extend: Path, method: str) -> SimulationStudy:
    from modelops_contracts.study import SimulationStudy, load_spec

    study = load_spec(call.start / extend)
    if not isinstance(study, SimulationStudy):
        raise usage(f"--extend {extend}: that is a calibration, not a study")
    kind = (study.metadata.get("design") or {}).get("kind", study.sampling_method)
    if kind != method:
        raise usage(f"--extend {extend}: its design is {kind}, not {method}", "cb sampling --help")
    return study


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
