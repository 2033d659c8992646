"""What a specification means for its model and targets, settled before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from modelops.jobs.check import complete_study, find_study_warnings, fits_outputs, needed_outputs
from modelops.jobs.documents import ChosenTarget, JobPlan
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.models import TargetDescription
from modelops_contracts.study import CalibrationSpec, SimulationStudy

__all__ = [
    "Spec",
    "refuse_missing_observations",
    "settle_calibration",
    "settle_study",
    "unread_observations",
    "with_targets",
]

Spec = SimulationStudy | CalibrationSpec


def settle_study(
    job: JobPlan, study: SimulationStudy, *, explicit: bool
) -> tuple[JobPlan, Spec, list[str]]:
    """Every row complete, targets that fit. ``explicit``: the targets were named by somebody, so
    one that does not fit is a mistake."""
    complete = complete_study(study, job.description)
    warnings = find_study_warnings(complete, job.description)
    outputs = tuple(sorted(complete.outputs or job.description.outputs))
    fitting = [t for t in job.targets if fits_outputs(t.description, outputs)]
    left_out = [t for t in job.targets if t not in fitting]
    if left_out and explicit:
        raise _missing_outputs(left_out, outputs)
    warnings += [
        f"target {t.target_id} is left out: it reads {', '.join(t.description.model_outputs)}, "
        f"this study keeps {', '.join(outputs)}"
        for t in left_out
    ]
    settled = replace(
        job,
        outputs=outputs,
        config=dict(complete.metadata.get("config") or {}),
        targets=tuple(fitting),
        policy={"replicates": "logmeanexp", "failed_replicates": "fail"},
    )
    spec = complete.with_targets(
        [t.entrypoint for t in fitting],
        [t.target_id for t in fitting],
        complete.metadata.get("target_set"),
    )
    return settled, spec, warnings


def settle_calibration(job: JobPlan, spec: CalibrationSpec) -> tuple[JobPlan, Spec, list[str]]:
    """As the science plans it, with the outputs that its targets read."""
    from modelops_calabaria.calibration.plan import plan_calibration

    descriptions = [target.description for target in job.targets]
    settled_spec = with_targets(spec, job.targets)
    plan = plan_calibration(settled_spec, job.description, descriptions)
    outputs = tuple(sorted(spec.outputs or needed_outputs(descriptions, job.description.outputs)))
    left_out = [t for t in job.targets if not fits_outputs(t.description, outputs)]
    if left_out:
        raise _missing_outputs(left_out, outputs)
    settled = replace(job, outputs=outputs, config=dict(plan.config), policy=plan.policy)
    return settled, settled_spec, unread_observations(spec, descriptions)


def refuse_missing_observations(spec: Spec, project_root: Path) -> None:
    """Raises NotFound for an observed_file that is not there."""
    observed = _observed_file(spec)
    if observed and not (project_root / observed).is_file():
        raise NotFound(
            f"$.target_data.observed_file: {observed} is not in {project_root}",
            hint="correct the path, or remove the key: targets name their own data files",
            code="observed_file.not_found",
        )


def unread_observations(spec: Spec, targets: Sequence[TargetDescription]) -> list[str]:
    """Only what a target reads has an effect; a file that none of them reads has none."""
    observed = _observed_file(spec)
    if not observed:
        return []
    wanted = PurePosixPath(observed).as_posix()
    read = [name for target in targets for name in target.data]
    if any(name == wanted or wanted.endswith(f"/{name}") for name in read):
        return []
    return [f"observed_file {observed} has no effect: the targets read {', '.join(read) or 'none'}"]


def _observed_file(spec: Spec) -> str:
    return "" if isinstance(spec, SimulationStudy) else spec.target_data.get("observed_file") or ""


def with_targets(spec: CalibrationSpec, targets: Sequence[ChosenTarget]) -> CalibrationSpec:
    """The calibration with its targets and weights written out, and an earlier result's path made
    independent of the folder the driver runs in."""
    data = {
        **spec.target_data,
        "target_entrypoints": [target.entrypoint for target in targets],
        "target_ids": [target.target_id for target in targets],
        "weights": {target.target_id: target.weight for target in targets},
    }
    config = dict(spec.algorithm_config)
    if config.get("warm_start"):
        config["warm_start"] = str(Path(config["warm_start"]).absolute())
    return replace(spec, target_data=data, algorithm_config=config)


def _missing_outputs(targets: Sequence[ChosenTarget], outputs: Sequence[str]) -> InvalidInput:
    first = targets[0]
    return InvalidInput(
        f"target {first.target_id} reads output {', '.join(first.description.model_outputs)}, "
        f"which is not among {', '.join(outputs)}",
        hint="cb models lists the outputs of each model; $.outputs of the file limits them",
        code="target.output",
    )
