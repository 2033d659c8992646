"""What `mops run` and `mops jobs submit` share: the options, the plan, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelops.cli._call import Call
from modelops.cli._complete import target_sets
from modelops.cli._console import Screen, duration, figure, pairs, plural
from modelops.cli._options import max_failed_option, targets_option

if TYPE_CHECKING:
    from modelops.jobs.submit import SubmissionPlan

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option("-b", "--bundle", metavar="REF", help="Bundle to run (default: the project)."),
    click.option(
        "--auto/--no-auto",
        default=True,
        show_default=True,
        help="Pack what changed first, or run the bundle that was pushed last.",
    ),
    click.option(
        "--target-set",
        metavar="NAME",
        shell_complete=target_sets,
        help="Targets to score, instead of the file's.",
    ),
    targets_option,
    click.option("--name", help="Name of the job (default: that of the file)."),
    click.option("--tag", "tags", multiple=True, metavar="K=V", help="Tag (repeatable)."),
    click.option(
        "--replicates", type=click.IntRange(min=1), help="Replicates, instead of the file's."
    ),
    max_failed_option,
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Longest time one simulation may take.",
    ),
    click.option(
        "--max-time",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Stop the job in good order after that long.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=1), help="Processes (default: one per core)."
    ),
    click.option(
        "--executor", type=click.Choice(("process_pool", "inline")), help="What runs simulations."
    ),
    click.option(
        "--isolation",
        type=click.Choice(("warm", "fresh-per-batch", "fresh-per-simulation")),
        help="How often a process is replaced.",
    ),
    click.option(
        "--allow-stale", is_flag=True, help="Run although the registry does not fit the code."
    ),
    click.option(
        "--check/--no-check",
        default=True,
        show_default=True,
        help="Simulate and score one parameter set before a job with targets is made.",
    ),
    click.option("--dry-run", is_flag=True, help="Check everything, say what would run, stop."),
    click.option(
        "--progress",
        type=click.Choice(("auto", "bar", "plain", "none")),
        help="How progress is shown.",
    ),
)


def submission_options(function: F) -> F:
    for option in reversed(OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Check:
    """The one parameter set that was simulated and scored before the job.

    `simulations` ran now, 0 when all was stored; `left_out` names what switched the check off;
    `reason` is the code of an infinite objective, which `objective` has as null.
    """

    simulations: int
    seconds: float
    objective: float | None
    parameters: dict[str, float]
    left_out: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Scored:
    """A target of the job. `digest` covers its code and its data; `weight` is the effective one."""

    target: str
    entrypoint: str
    weight: float
    digest: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was stored, or with `dry_run` what it would be. No targets, no `check`."""

    job: str | None
    name: str
    kind: str
    env: str
    bundle: str
    model: str
    targets: list[str]
    sets: int
    replicates: int
    trials: int
    simulations: int
    reused: int | None
    estimate: float | None
    state: str
    dry_run: bool
    check: Check | None
    scored: list[Scored]


def choose_settings(call: Call, options: Mapping[str, Any]) -> None:
    """Options that stand for a setting win over its variable and files."""
    call.choose(
        run__timeout=options["timeout"],
        run__workers=options["workers"],
        run__executor=options["executor"],
        run__isolation=options["isolation"],
        progress=options["progress"],
    )


def plan(call: Call, spec: Path, options: Mapping[str, Any], *, stream: bool) -> SubmissionPlan:
    """Check everything and say what would run; nothing is stored for the job yet."""
    from modelops.jobs.submit import SubmitOptions, plan_submission

    root = call.project_root
    chosen = SubmitOptions(
        bundle=options["bundle"],
        auto=options["auto"],
        allow_stale=options["allow_stale"],
        targets=tuple(options["targets"]),
        target_set=options["target_set"],
        name=options["name"],
        tags=read_tags(options["tags"]),
        replicates=options["replicates"],
        max_failed=options["max_failed"],
        max_time=options["max_time"],
        dry_run=options["dry_run"],
        unchecked=choose_unchecked(options),
        spoken=str(spec),
    )
    reporter = call.reporter(stream=stream)
    try:
        made = plan_submission(
            call.start / spec,
            project_root=root,
            config=call.config,
            options=chosen,
            reporter=reporter,
        )
    finally:
        reporter.close()
    for warning in made.warnings:
        call.console.warn(warning)
    if made.check is not None and made.check.left_out:
        call.console.warn(f"nothing was simulated and scored before the job: {made.check.left_out}")
    return made


def choose_unchecked(options: Mapping[str, Any]) -> str:
    """What switches the check off: `--debug` is there to meet the author's error itself."""
    if options.get("debug"):
        return "--debug"
    return "" if options["check"] else "--no-check"


def describe(made: SubmissionPlan, *, job: str | None, state: str) -> Submitted:
    return Submitted(
        job=job,
        name=made.name,
        kind=made.kind,
        env=made.environment,
        bundle=made.bundle.manifest,
        model=made.job.model,
        targets=[target.target_id for target in made.job.targets],
        sets=made.parameter_sets,
        replicates=made.replicates,
        trials=made.trials,
        simulations=made.simulations,
        reused=made.reused,
        estimate=made.estimate,
        state=state,
        dry_run=made.dry_run,
        check=describe_check(made),
        scored=[
            Scored(one.target_id, one.entrypoint, one.weight, one.digest)
            for one in made.job.targets
        ],
    )


def describe_check(made: SubmissionPlan) -> Check | None:
    found = made.check
    if found is None:
        return None
    return Check(
        simulations=found.simulations,
        seconds=round(found.seconds, 3),
        objective=found.objective if isfinite(found.objective) else None,
        parameters=dict(found.params or {}),
        left_out=found.left_out or None,
        reason=found.reason,
    )


def check_text(found: Check | None) -> str | None:
    """`passed, objective 12.3 (4 simulations, 0.6 s)`; infinite is no fault of the set-up."""
    if found is None:
        return None
    if found.left_out:
        return f"left out ({found.left_out})"
    cost = f"{plural(found.simulations, 'simulation')}, {duration(found.seconds)}"
    if not found.simulations:
        cost = "stored before"
    if found.objective is None:
        what = _AT_A_BAD_POINT.get(found.reason or "", "the objective was infinite")
        return f"passed; {what} at the one point tried, as happens far from the best ({cost})"
    return f"passed, objective {figure(found.objective)} ({cost})"


_AT_A_BAD_POINT = {
    "ZERO_LIKELIHOOD": "the data were impossible",
    "INFEASIBLE": "the loss was infinite",
}


def plan_lines(answer: Submitted, screen: Screen) -> Iterator[str]:
    """What will run, what is reused, how long it may take."""
    yield from pairs(
        [
            ("Name", answer.name),
            ("Environment", answer.env),
            ("Bundle", answer.bundle),
            ("Model", answer.model),
            *target_rows(answer.scored),
            ("Runs", work_text(answer)),
            ("Reused", None if answer.reused is None else plural(answer.reused, "simulation")),
            ("Check", check_text(answer.check)),
            ("Estimate", f"about {duration(answer.estimate)}" if answer.estimate else None),
        ]
    )


def target_rows(scored: Sequence[Scored]) -> Iterator[tuple[str, str]]:
    """A line per target: what it is, where it is, how much it counts, and which version."""
    for number, one in enumerate(scored):
        version = one.digest.removeprefix("sha256:")[:12]
        text = f"{one.target} ({one.entrypoint}, weight {figure(one.weight)}, {version})"
        yield ("" if number else "Targets"), text
    if not scored:
        yield "Targets", "none"


def work_text(answer: Submitted) -> str:
    replicates = plural(answer.replicates, "replicate")
    if answer.kind == "calibration":
        trials = plural(answer.trials, "trial")
        return f"{trials} x {replicates}, at most {plural(answer.simulations, 'simulation')}"
    sets = plural(answer.sets, "parameter set")
    return f"{sets} x {replicates} = {plural(answer.simulations, 'simulation')}"


def read_tags(items: Sequence[str]) -> dict[str, str]:
    """`["site=north"]` -> {"site": "north"}."""
    tags = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{item!r} is not k=v", param_hint="--tag")
        tags[key] = value
    return tags
