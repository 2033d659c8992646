"""Why a job computed what it computed, and where the rest came from.

A simulation is computed when its key is in no store. The key of an earlier job with the same
parameters and seed differs in something that both jobs wrote down: that is the reason.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops import wiring
from modelops.config.model import Config
from modelops.jobs.documents import BundleFacts, JobPlan
from modelops.jobs.folder import JobFolder
from modelops_contracts.errors import ModelOpsError

__all__ = ["Group", "compare_code", "compare_software", "explain_job"]


@dataclass(frozen=True, slots=True)
class Group:
    """Simulations of a job with one origin.

    ``outcome`` is reused, computed, failed (computed, without a result) or missing (not run yet);
    ``reason`` is stored, code, environment, settings, new_seeds, new_parameters, failed_before or
    not_run; ``job`` the other job that the reason is about; ``changes`` name what differs.
    """

    outcome: str
    reason: str
    count: int
    job: str | None
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One simulation that a job wanted."""

    sim_key: str
    param_id: str
    seed: int
    status: str
    job: str | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """A job that was there before, with what it wanted."""

    folder: JobFolder
    plan: JobPlan
    status: Mapping[str, str]
    pairs: frozenset[tuple[str, int]]
    sets: frozenset[str]


def explain_job(
    folder: JobFolder, others: Sequence[JobFolder], config: Config, *, sim: str | None = None
) -> list[Group]:
    """Groups of the job's simulations, the largest first.

    ``others`` are jobs submitted before, newest first; only those of the same model tell
    something. ``sim`` limits it to keys that begin so.
    """
    plan = _plan_of(folder)
    rows = [row for row in read_rows(folder) if row.sim_key.startswith(sim or "")]
    wanted = any(row.job == folder.job_id for row in rows)
    earlier = [one for one in map(_earlier, others) if one is not None] if wanted else []
    related = [one for one in earlier if one.plan.model == plan.model]
    kinds = Counter(_kind_of(row, folder.job_id, plan, related) for row in rows)
    by_id = {one.folder.job_id: one for one in related}

    def changes(reason: str, job: str | None) -> tuple[str, ...]:
        return _changes(reason, plan, folder, by_id.get(job or ""), config)

    groups = [
        Group(
            outcome,
            reason,
            count,
            job,
            _changes(reason, plan, folder, by_id.get(job or ""), config),
        )
        for (outcome, reason, job), count in kinds.items()
    ]
    return sorted(groups, key=lambda group: (-group.count, group.outcome, group.reason))


def read_rows(folder: JobFolder) -> list[Row]:
    """What the job wanted; empty before it has begun."""
    import polars as pl

    if not folder.reuse.is_file():
        return []
    columns = ["sim_key", "param_id", "seed", "status", "job"]
    return [Row(*values) for values in pl.read_parquet(folder.reuse, columns=columns).iter_rows()]


def _plan_of(folder: JobFolder) -> JobPlan:
    return JobPlan.from_json(folder.read_document(folder.plan))


def _earlier(folder: JobFolder) -> Earlier | None:
    """None for a job that cannot be read: it explains nothing, and hides no other."""
    try:
        plan = _plan_of(folder)
    except ModelOpsError:
        return None
    rows = read_rows(folder)
    return Earlier(
        folder=folder,
        plan=plan,
        status={row.sim_key: row.status for row in rows},
        pairs=frozenset((row.param_id, row.seed) for row in rows),
        sets=frozenset(row.param_id for row in rows),
    )


def _kind_of(
    row: Row, job_id: str, plan: JobPlan, earlier: Sequence[Earlier]
) -> tuple[str, str, str | None]:
    """(outcome, reason, other job) of one simulation."""
    if row.status == "missing":
        return "missing", "not_run", None
    if row.job != job_id:
        return "reused", "stored", row.job
    outcome = "computed" if row.status == "ok" else "failed"
    for one in earlier:
        if row.sim_key in one.status:
            return outcome, "failed_before", one.folder.job_id
    for one in earlier:
        if (row.param_id, row.seed) in one.pairs:
            return outcome, _difference(plan, one.plan), one.folder.job_id
    for one in earlier:
        if row.param_id in one.sets:
            return outcome, "new_seeds", one.folder.job_id
    return outcome, "new_parameters", None


def _difference(plan: JobPlan, before: JobPlan) -> str:
    if plan.code != before.code:
        return "code"
    return "environment" if plan.environment != before.environment else "settings"


def _changes(
    reason: str, plan: JobPlan, folder: JobFolder, before: Earlier | None, config: Config
) -> tuple[str, ...]:
    if before is None:
        return ()
    if reason == "settings":
        return tuple(_changed_settings(plan, before.plan))
    if reason == "environment":
        return tuple(compare_software(plan, before.plan))
    if reason == "code":
        return tuple(_changed_files(plan, folder, before, config))
    return ()


def compare_software(plan: JobPlan, before: JobPlan) -> Iterator[str]:
    """Distributions that differ; Python or the platform when none does."""
    now, then = plan.software, before.software
    names = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    if not names or not now or not then:
        yield f"environment {before.environment[:12]} -> {plan.environment[:12]}"
        return
    for name in names:
        yield f"{name} {then.get(name, 'not there')} -> {now.get(name, 'not there')}"


def _changed_settings(plan: JobPlan, before: JobPlan) -> Iterator[str]:
    pairs: list[tuple[str, Any, Any]] = [
        ("scenario", before.scenario, plan.scenario),
        ("outputs", ", ".join(before.outputs), ", ".join(plan.outputs)),
        ("config", dict(before.config), dict(plan.config)),
    ]
    for name, old, new in pairs:
        if old != new:
            yield f"{name}: {old} -> {new}"


# ---------------------------------------------------------------- code


def _changed_files(
    plan: JobPlan, folder: JobFolder, before: Earlier, config: Config
) -> Iterator[str]:
    """Files of the model's code and data that differ between the two jobs' bundles."""
    try:
        old, new = (_files_of(one, plan.model_id, config) for one in (before.folder, folder))
    except ModelOpsError as error:  # a bundle that is gone: the reason stands without its details
        yield f"the files cannot be compared: {error}"
        return
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            yield f"{name}: {'added' if name not in old else 'removed'}"
        elif old[name] != new[name]:
            yield from compare_code(name, old[name], new[name])


def _files_of(folder: JobFolder, model_id: str, config: Config) -> dict[str, bytes]:
    facts = BundleFacts(**folder.read_document(folder.bundle))
    artifacts = wiring.open_artifacts(config, facts.repository)
    with wiring.open_bundle_tree(config, artifacts, facts.manifest) as bundle:
        entry = bundle.registry.models.get(model_id)
        paths = [] if entry is None else [Path(p) for p in (entry.path, *entry.code, *entry.data)]
        present = [path for path in paths if (bundle.root / path).is_file()]
        return {path.as_posix(): (bundle.root / path).read_bytes() for path in present}


def compare_code(name: str, before: bytes, after: bytes) -> list[str]:
    """``file.py: name`` for each definition of a Python file that means something else now.

    Comments and formatting mean nothing. Other files, and files that cannot be parsed, are named
    as a whole.
    """
    if not name.endswith(".py"):
        return [f"{name}: changed"]
    try:
        old, new = _meanings(before), _meanings(after)
    except (SyntaxError, ValueError):
        return [f"{name}: changed"]
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    inner = [key for key in changed if not any(other.startswith(f"{key}.") for other in changed)]
    return [f"{name}: {key or 'statements outside functions'}" for key in sorted(inner)]


def _meanings(content: bytes) -> dict[str, str]:
    """Canonical text by name of every function and class, methods as ``Class.method``."""
    from modelops_bundle.code.fingerprint import canonical_form

    tree = ast.parse(content)
    found: dict[str, str] = {}
    loose: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            found.update({f"{node.name}.{item.name}": canonical_form([item]) for item in methods})
            found[node.name] = canonical_form([node])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = canonical_form([node])
        else:
            loose.append(node)
    found[""] = canonical_form(loose)
    return found
