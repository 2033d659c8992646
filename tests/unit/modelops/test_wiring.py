"""The composition root: adapters by name, settings passed on."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from modelops import wiring
from modelops.config.sources import load_config
from modelops.engine.memory import read_memory_limit
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.ports import ArtifactStore, JobBackend


@pytest.mark.parametrize("name", sorted(wiring.ADAPTERS))
def test_every_adapter_in_the_table_exists(name: str) -> None:
    module, _, attribute = wiring.ADAPTERS[name].partition(":")
    assert isinstance(getattr(import_module(module), attribute), type)


def test_the_local_environment_needs_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    config = load_config({}, {"MODELOPS_HOME": str(home)}, tmp_path)
    backend = wiring.open_backend(config, project_root=tmp_path)
    assert isinstance(backend, JobBackend)
    assert backend.list() == []
    artifacts = wiring.open_artifacts(config, "walk")
    assert isinstance(artifacts, ArtifactStore)
    assert wiring.open_results(config, tmp_path).codes() == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_environment_is_refused_before_anything_opens(tmp_path: Path) -> None:
    config = load_config({"environment": "lokal"}, {"MODELOPS_HOME": str(tmp_path)}, tmp_path)
    with pytest.raises(NotFound, match="nearest: local"):
        wiring.open_backend(config, project_root=tmp_path)


def test_an_environment_file_moves_bundles_and_results(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "local.yaml").write_text(
        f"registry: {{url: 'oci:{tmp_path}/bundles'}}\nstorage: {{url: 'file://{tmp_path}/rows'}}\n"
    )
    config = load_config({}, {"MODELOPS_HOME": str(tmp_path)}, tmp_path)
    backend = wiring.open_backend(config, project_root=tmp_path / "project")
    assert backend.results_root == tmp_path / "rows"
    assert wiring.open_environment(config).artifacts == tmp_path / "bundles"


def test_slots() -> None:
    assert wiring.count_slots("process_pool", 3) == 3
    assert wiring.count_slots("inline", None) == 1
    assert wiring.count_slots("process_pool", None) >= 1


def test_direct_refuses_a_project_whose_dependencies_are_not_here(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname='x'\nversion='1'\ndependencies=['surely-not-installed-here']\n"
    )
    config = load_config({}, {"MODELOPS_HOME": str(tmp_path / "home")}, tmp_path)
    with pytest.raises(InvalidInput, match="surely-not-installed-here"):
        wiring.prepare_environment(config, tmp_path, interpreter="direct")


def test_listing_jobs_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from modelops import wiring\n"
        "from modelops.config.sources import load_config\n"
        f"here = {str(tmp_path)!r}\n"
        "config = load_config({}, {'MODELOPS_HOME': here}, Path(here))\n"
        "wiring.open_backend(config, project_root=Path('.')).records()\n"
        "heavy = {'numpy', 'polars', 'scipy', 'obstore', 'optuna', 'ruamel', 'rich', 'asyncio'}\n"
        "found = heavy & sys.modules.keys()\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_runner_processes_share_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    def open_engine(**options: object) -> None:
        given.update(options)

    monkeypatch.setattr("modelops.engine.service.open_engine", open_engine)
    common = {"root": tmp_path, "environment": None, "log_dir": tmp_path}
    wiring.open_engine(**common, workers=4)  # type: ignore[arg-type]
    assert 0 < given["memory_budget"] * 4 <= read_memory_limit()
    wiring.open_engine(**common, executor="inline")  # type: ignore[arg-type]
    assert given["memory_budget"] is None
