"""Going on with a calibration that was submitted under other circumstances than those of today.

What was asked for is planned again with the project as it is now. Stop rules and rescoring may
differ: the search goes on. Targets, weights and policies may differ too, when every trial is to be
scored again from its stored simulations. Anything else makes another calibration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelops.config.model import Config
from modelops.jobs.bundling import own_tag
from modelops.jobs.documents import JobPlan
from modelops.jobs.folder import JobFolder
from modelops.jobs.journal import read_lines
from modelops.jobs.submit import (
    SubmissionPlan,
    SubmitOptions,
    documents_of,
    plan_spec,
)
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import Conflict, InvalidInput, ModelOpsError
from modelops_contracts.ports import Reporter
from modelops_contracts.study import CalibrationSpec, load_spec

__all__ = ["ResumeWish", "prepare_resume"]


@dataclass(frozen=True, slots=True)
class ResumeWish:
    """``spec`` replaces the job's specification; ``rescore`` scores all trials again;
    ``as_submitted`` goes on with the bundle and settings of the job, whatever is there today."""

    spec: Path | None = None
    rescore: bool = False
    as_submitted: bool = False

    @property
    def changes_documents(self) -> bool:
        return self.rescore or self.spec is not None


def prepare_resume(
    folder: JobFolder,
    wish: ResumeWish,
    *,
    project_root: Path,
    config: Config,
    reporter: Reporter | None = None,
) -> dict[str, Any] | None:
    """Make a job's documents those it goes on with; what then changes in its record, or None.

    Call it with the driver's lock held. Raises Conflict, naming every field that differs with both
    values, when the calibration would become another one; InvalidInput for a wish that the job
    cannot have.
    """
    old = JobPlan.from_json(folder.read_document(folder.plan))
    if old.kind != "calibration":
        _refuse_for_a_study(folder, wish)
        return None
    if wish.as_submitted or not (_follows_the_project(folder, project_root) or wish.spec):
        _refuse_both(wish)
        return None
    today = _plan_or_explain(folder, wish, project_root, config, reporter)
    today = replace(today, job=_with_old_outputs(old, today.job, folder.job_id))
    differing = _differences(folder, old, today)
    if wish.rescore:
        _check_rescoring(folder, differing)
        _start_replay(folder)
    elif differing:
        raise _refusal(folder, differing)
    elif folder.replayed.is_file() or wish.spec is None:
        return None
    _write_documents(folder, today, old)
    if wish.rescore:
        _set_aside(folder.journal)
    return {
        "bundle": today.bundle.manifest,
        "targets": tuple(target.target_id for target in today.job.targets),
        "parameter_sets": today.parameter_sets,
    }


# ---------------------------------------------------------------- what is refused


def _refuse_for_a_study(folder: JobFolder, wish: ResumeWish) -> None:
    for option, given in (("--rescore", wish.rescore), ("--spec", wish.spec is not None)):
        if given:
            raise InvalidInput(
                f"{folder.job_id} is a study; {option} is for calibrations",
                hint="mops run its file again: what is stored is reused, and scored as the "
                "targets are now",
                code="job.not_a_calibration",
            )


def _refuse_both(wish: ResumeWish) -> None:
    if wish.changes_documents:
        raise InvalidInput(
            "the job ran a bundle that was named, or is to go on as it was submitted: "
            "--rescore and --spec look at the project of today",
            hint="leave out --as-submitted, or submit a new job",
            code="job.as_submitted",
        )


def _check_rescoring(folder: JobFolder, differing: Mapping[str, tuple[Any, Any]]) -> None:
    from modelops_calabaria.calibration.fingerprint import is_rescorable

    if not differing:
        raise Conflict(
            f"targets, weights and policies of {folder.job_id} are what they were: "
            "there is nothing to score again",
            hint=f"mops jobs resume {folder.job_id}",
            code="job.nothing_to_do",
        )
    if not is_rescorable(differing):
        raise _refusal(folder, differing)


def _refusal(folder: JobFolder, differing: Mapping[str, tuple[Any, Any]]) -> Conflict:
    from modelops_calabaria.calibration.fingerprint import is_rescorable, told_differences

    job = folder.job_id
    if is_rescorable(differing):
        hint = f"mops jobs resume {job} --rescore scores the stored simulations as things are now"
    else:
        hint = (
            f'submit a new job; "warm_start": "{folder.result}" in algorithm_config asks this '
            "one's candidates first"
        )
    return Conflict(
        f"{job} was begun with other settings:\n{told_differences(differing)}",
        hint=f"{hint}; mops jobs resume {job} --as-submitted goes on with what was submitted",
        code="job.changed",
        exit_code=3,
    )


# ---------------------------------------------------------------- today


def _follows_the_project(folder: JobFolder, project_root: Path) -> bool:
    """A job of a bundle that was named has nothing to do with the project's files."""
    from modelops_bundle.project.project import open_project

    tag = folder.read_document(folder.bundle).get("tag", "")
    project = open_project(project_root)
    return tag in {project.default_tag, own_tag(project)}


def _plan_or_explain(
    folder: JobFolder,
    wish: ResumeWish,
    project_root: Path,
    config: Config,
    reporter: Reporter | None,
) -> SubmissionPlan:
    """Who only wants to go on learns how to do so with a project that is broken today."""
    try:
        return _plan_today(folder, wish, project_root, config, reporter)
    except ModelOpsError as error:
        if wish.changes_documents:
            raise
        raise Conflict(
            f"the project of today cannot be compared with what {folder.job_id} was begun with: "
            f"{error}",
            hint=f"correct it, or: mops jobs resume {folder.job_id} --as-submitted",
            code="job.changed",
            exit_code=3,
        ) from error


def _plan_today(
    folder: JobFolder,
    wish: ResumeWish,
    project_root: Path,
    config: Config,
    reporter: Reporter | None,
) -> SubmissionPlan:
    given = folder.read_document(folder.given) if folder.given.is_file() else {}
    spec = load_spec(wish.spec) if wish.spec is not None else _spec_of(folder, given)
    if not isinstance(spec, CalibrationSpec):
        raise InvalidInput(
            f"{wish.spec} is a study; {folder.job_id} is a calibration",
            hint="name the calibration's file",
        )
    options = SubmitOptions(
        targets=tuple(given.get("targets") or ()),
        target_set=given.get("target_set"),
        unchecked="resume",
        # Looking alone leaves no bundle behind.
        dry_run=not wish.changes_documents,
    )
    name = folder.read_record().name
    return plan_spec(
        spec,
        name=name,
        project_root=project_root,
        config=config,
        options=options,
        reporter=reporter,
    )


def _spec_of(folder: JobFolder, given: Mapping[str, Any]) -> CalibrationSpec:
    """As it was submitted; jobs of older versions kept only what came of it."""
    return CalibrationSpec.from_dict(given.get("spec") or folder.read_document(folder.spec))


def _with_old_outputs(old: JobPlan, new: JobPlan, job_id: str) -> JobPlan:
    """The outputs that are stored. Raises Conflict when the targets of today read another one."""
    missing = sorted(set(new.outputs) - set(old.outputs))
    if missing:
        raise Conflict(
            f"{job_id} has stored {', '.join(old.outputs)}; the targets of today also read "
            f"{', '.join(missing)}",
            hint="submit a new job: it simulates what is missing",
            code="job.changed",
            exit_code=3,
        )
    return replace(new, outputs=old.outputs)


def _differences(
    folder: JobFolder, old: JobPlan, today: SubmissionPlan
) -> dict[str, tuple[Any, Any]]:
    from modelops_calabaria.calibration.fingerprint import differing_fields

    before = _begun_with(folder) or _fields(load_spec(folder.spec), old)
    differing = differing_fields(before, _fields(today.spec, today.job))
    if today.job.environment != old.environment:
        differing["environment"] = (old.environment, today.job.environment)
    return differing


def _begun_with(folder: JobFolder) -> dict[str, Any] | None:
    first = next(read_lines(folder.journal), None)
    return dict(first["fingerprint"]) if first and first.get("event") == "begin" else None


def _fields(spec: Any, job: JobPlan) -> dict[str, Any]:
    from modelops_calabaria.calibration.fingerprint import fingerprint
    from modelops_calabaria.calibration.plan import plan_calibration

    plan = plan_calibration(spec, job.description, [target.description for target in job.targets])
    digests = {target.entrypoint: target.digest for target in job.targets}
    return fingerprint(plan, code=job.code, data=digests)


# ---------------------------------------------------------------- documents


def _start_replay(folder: JobFolder) -> None:
    """Keep the trials of the search; those of an earlier replay are the same ones."""
    if folder.replayed.is_file():
        return
    from modelops_calabaria.calibration.replay import recorded_trials

    trials = recorded_trials(read_lines(folder.journal))
    if not trials:
        raise Conflict(
            f"{folder.job_id} has no finished trial to score again",
            hint=f"mops jobs resume {folder.job_id} --as-submitted",
            code="job.nothing_to_do",
        )
    write_atomically(folder.replayed, json.dumps({"trials": trials}))


def _write_documents(folder: JobFolder, today: SubmissionPlan, old: JobPlan) -> None:
    """Execution settings stay the job's own; a crash between two files is healed by a repetition:
    the journal, which says what was begun, is set aside last."""
    job = replace(today.job, choices=old.choices)
    documents = documents_of(replace(today, job=job))
    for stem in ("spec", "given", "bundle", "plan"):
        write_atomically(folder.path / f"{stem}.json", json.dumps(documents[stem], indent=2))


def _set_aside(journal: Path) -> None:
    """The earlier scores stay readable beside the new ones."""
    if journal.is_file():
        number = len(list(journal.parent.glob("journal-*.jsonl"))) + 1
        journal.rename(journal.with_name(f"journal-{number}.jsonl"))
