"""One place per test: a project, a home, and the ways to run a job in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from modelops import wiring
from modelops.config.model import Config
from modelops.driver import run_job
from modelops.jobs.folder import JobFolder
from modelops.jobs.interrupt import Interrupt
from modelops.jobs.record import JobRecord
from modelops.jobs.submit import SubmissionPlan, SubmitOptions, apply_submission, plan_submission
from modelops.results.views import job_tables
from modelops_contracts.ports import NullReporter, Reporter
from support.job_projects import make_walk_project, walk_config, write_spec


@dataclass(frozen=True)
class Place:
    root: Path
    home: Path
    config: Config

    def plan(
        self, spec: Mapping[str, Any], *, unchecked: str = "tested apart", **options: Any
    ) -> SubmissionPlan:
        """The check before a job has tests of its own; it would simulate for all others."""
        path = write_spec(self.root / "spec.json", spec)
        return plan_submission(
            path,
            project_root=self.root,
            config=self.config,
            options=SubmitOptions(unchecked=unchecked, **options),
        )

    def submit(self, spec: Mapping[str, Any], **options: Any) -> JobFolder:
        made = self.plan(spec, **options)
        record = apply_submission(made, config=self.config, project_root=self.root)
        return self.folder(record.job_id)

    def carry(
        self,
        folder: JobFolder,
        *,
        interrupt: Interrupt | None = None,
        reporter: Reporter | None = None,
    ) -> JobRecord:
        return run_job(
            folder.path, reporter or NullReporter(), config=self.config, interrupt=interrupt
        )

    def run(self, spec: Mapping[str, Any], **options: Any) -> JobRecord:
        return self.carry(self.submit(spec, **options))

    def folder(self, job_id: str) -> JobFolder:
        return JobFolder(self.root / ".modelops" / "results" / "jobs" / job_id)

    def tables(self, job_id: str) -> dict[str, pl.DataFrame]:
        store = wiring.open_results(self.config, self.root)
        return job_tables(store, self.folder(job_id).path)


def make_place(folder: Path, *, pause: float = 0.0, **flags: Any) -> Place:
    root = make_walk_project(folder / "project", pause=pause)
    home = folder / "home"
    return Place(root, home, walk_config(root, home, **flags))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.fixture
def slow_place(tmp_path: Path) -> Place:
    """Simulations that take 20 ms, so that there is something to interrupt."""
    return make_place(tmp_path, pause=0.02)


@pytest.fixture
def another_place(tmp_path: Path) -> Place:
    """The same project somewhere else, with a home of its own."""
    return make_place(tmp_path / "elsewhere")


@pytest.fixture
def another_slow_place(tmp_path: Path) -> Place:
    """The slow project somewhere else."""
    return make_place(tmp_path / "elsewhere", pause=0.02)
