"""The store that a command of this project, or a reference, is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelops.cli._call import Call

if TYPE_CHECKING:
    from modelops_bundle.project.project import Project


def open_store(call: Call, reference: str | None) -> tuple[Any, str]:
    """The store of a reference and the tag or digest in it; of this project where none is given."""
    from modelops import wiring

    if reference is not None:
        store, wanted, _ = wiring.open_reference(call.config, reference, tell=call.console.note)
        return store, wanted
    from modelops_bundle.project.project import find_project

    project = find_project(call.start)
    return open_project_store(call, project), project.default_tag


def open_project_store(call: Call, project: Project) -> Any:
    """Where the bundles of a project are kept, in the environment in force."""
    from modelops import wiring

    return wiring.open_artifacts(
        call.config, project.repository, tell=call.console.note, parallel=project.config.parallel
    )


def own_push(call: Call, reference: str) -> Mapping[str, Any]:
    """What the project here remembers of its last push to a reference; empty without either."""
    from modelops_bundle.project.baselines import read_pushes
    from modelops_bundle.project.project import find_project
    from modelops_contracts.errors import NotFound

    try:
        return read_pushes(find_project(call.start)).get(reference, {})
    except NotFound:
        return {}
