"""Projects that name the older distributions by git URL, beside our real wheel: ours stay whole."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from modelops.cli._damage import PACKAGES
from support.install import run
from support.install_machine import UV, GitServer, Machine
from support.install_wheels import copy_checkout, toy_wheel
from support.testbed import ROOT

DROPPED = "".join(
    f'{name} ; python_version < "3"\n'
    for name in ("modelops-contracts", "modelops-calabaria", "modelops-bundle")
)
URL = "git+https://github.com/acme"
#: Makes the environment of a project in the folder with the engine's own builder.
BUILDER = """
import sys
from pathlib import Path
from modelops.engine.environments.select import plan_environment
from modelops.engine.environments.venv import ensure_environment
cache = Path(sys.argv[2])
spec = plan_environment(Path(sys.argv[1]), kind="isolated", cache_dir=cache)
print(ensure_environment(spec, cache_dir=cache).python)
"""


def old_suite(machine: Machine, server: GitServer) -> None:
    """The older distributions on the server, with packages of our names and broken contents."""
    for name, needs in (
        ("modelops-contracts", []),
        ("modelops-calabaria", [f"modelops-contracts @ {URL}/modelops-contracts.git"]),
    ):
        folder = machine.root / "old" / name
        package = folder / "src" / name.replace("-", "_")
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("OLD = True\n")
        (package / "errors.py").write_text("OLD = True\n")
        write_project(folder, name, *needs)
        server.add(f"acme/{name}", folder)


def write_project(folder: Path, name: str, *dependencies: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n'
        f'[project]\nname = "{name}"\nversion = "0.1.0"\n'
        f"dependencies = {json.dumps(dependencies)}\n\n"
        "[tool.hatch.metadata]\nallow-direct-references = true\n\n"
        '[tool.hatch.build.targets.wheel]\ninclude = ["/src", "/study"]\nsources = ["src"]\n'
    )


OLD_NEEDS = (
    f"modelops-contracts @ {URL}/modelops-contracts.git",
    f"modelops-calabaria @ {URL}/modelops-calabaria.git@main",
)


@pytest.fixture
def prepared(machine: Machine, git_server: GitServer) -> Machine:
    """A machine that reaches the older suite under its public address, and all wheels."""
    old_suite(machine, git_server)
    toy_wheel(machine.root / "toys", "studylib", "studylib", None)
    config = git_server.write_config(machine.root / "gitconfig", token="s3cret")
    machine.env["GIT_CONFIG_GLOBAL"] = str(config)
    return machine


def our_files(site: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(site)): path.read_bytes()
        for package in PACKAGES
        for path in (site / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def site_of(environment: Path) -> Path:
    return next((environment / "lib").glob("python3*")) / "site-packages"


def make_environment(machine: Machine) -> Path:
    """An environment somebody made for a project, with our real wheel in it."""
    venv = machine.root / "venv"
    machine.uv("venv", "--quiet", "--python", machine.env["MODELOPS_PYTHON"], venv)
    uv(machine, "pip", "install", "--quiet", "--python", venv, machine.wheels.ours)
    return venv


def uv(machine: Machine, *arguments: str | Path, **env: str) -> None:
    """As the user types it: unlike Machine.uv this may ask the git server."""
    run([UV, *arguments], env=machine.env | env, cwd=machine.root).expect(0)


def test_the_engine_installs_one_and_our_packages_stay(
    prepared: Machine, git_server: GitServer
) -> None:
    prepared.install_offline().expect(0)
    project = prepared.root / "project"
    write_project(project, "study", *OLD_NEEDS, "studylib")
    (project / "study").mkdir()
    before = (project / "pyproject.toml").read_bytes()
    tool = prepared.tools / "modelops"
    cache = prepared.root / "environments"
    made = run(
        [tool / "bin" / "python", "-c", BUILDER, project, cache], env=prepared.env, cwd=project
    )
    python = Path(made.expect(0).out.strip())
    ours = our_files(site_of(tool))
    assert len(ours) > 200
    assert our_files(site_of(python.parent.parent)) == ours
    assert (site_of(python.parent.parent) / "studylib").exists()
    assert git_server.requests == ""  # nothing of the older suite is even fetched
    assert (project / "pyproject.toml").read_bytes() == before


def test_by_hand_with_the_lines_of_the_docs(prepared: Machine, git_server: GitServer) -> None:
    lines = (
        (ROOT / "docs" / "how-to" / "install.md").read_text().replace("    modelops", "modelops")
    )
    assert DROPPED in lines
    overrides = prepared.root / "overrides.txt"
    overrides.write_text(DROPPED)
    venv = make_environment(prepared)
    before = our_files(site_of(venv))
    project = prepared.root / "project"
    write_project(project, "study", *OLD_NEEDS)
    (project / "study").mkdir()
    uv(prepared, "pip", "install", "--quiet", "--python", venv, project, UV_OVERRIDE=str(overrides))
    assert (next(site_of(venv).glob("study-*.dist-info"))).exists()
    assert our_files(site_of(venv)) == before
    assert git_server.requests == ""


def test_uv_sync_reads_the_lines_from_the_project(prepared: Machine, git_server: GitServer) -> None:
    """It reads no UV_OVERRIDE; the page gives the table of pyproject.toml for it."""
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    table = "".join(
        line.removeprefix("    ") + "\n"
        for line in page[page.index("    [tool.uv]") :].partition("]\n\n")[0].splitlines()
    )
    project = prepared.root / "project"
    write_project(project, "study", *OLD_NEEDS)
    (project / "study").mkdir()
    with (project / "pyproject.toml").open("a") as file:
        file.write(f"\n{table}]\n")
    python = prepared.env["MODELOPS_PYTHON"]
    command = [UV, "sync", "--no-editable", "--python", python]
    run(command, env=prepared.env, cwd=project).expect(0)
    assert git_server.requests == ""
    site = site_of(project / ".venv")
    assert list(site.glob("study-*.dist-info"))
    assert not list(site.glob("modelops*"))


def test_without_it_doctor_reports_the_damage_and_its_repair_works(prepared: Machine) -> None:
    venv = make_environment(prepared)
    before = our_files(site_of(venv))
    project = prepared.root / "project"
    write_project(project, "study", *OLD_NEEDS)
    (project / "study").mkdir()
    uv(prepared, "pip", "install", "--quiet", "--python", venv, project)
    assert our_files(site_of(venv)) != before
    mops = [venv / "bin" / "mops", "doctor", "--install"]
    broken = run(mops, env=prepared.env, cwd=prepared.root).expect(1)
    said = broken.out + broken.err
    assert "modelops_contracts is owned by modelops and modelops-contracts" in said
    assert "modelops_calabaria is owned by modelops and modelops-calabaria" in said
    repair = next(line for line in said.splitlines() if "hint: uv pip uninstall" in line)
    command = repair.partition("hint: ")[2]
    subprocess.run(["/bin/sh", "-c", command], check=True, env=prepared.env, cwd=prepared.root)
    assert our_files(site_of(venv)) == before
    run(mops, env=prepared.env, cwd=prepared.root).expect(0)


def test_damage_in_our_own_tool_is_repaired_by_running_the_script_again(prepared: Machine) -> None:
    prepared.install_offline().expect(0)
    tool = prepared.tools / "modelops"
    old = prepared.root / "old" / "modelops-contracts"
    uv(prepared, "pip", "install", "--quiet", "--python", tool, old)
    mops = [prepared.bin / "mops", "doctor", "--install", "--json"]
    broken = run(mops, env=prepared.env, cwd=prepared.root).expect(1)
    assert "Run install.sh again" in broken.out
    prepared.install_offline().expect(0)
    prepared.check_installed()


def test_a_file_that_was_changed_or_lost_is_noticed(prepared: Machine) -> None:
    venv = make_environment(prepared)
    driver = site_of(venv) / "modelops" / "driver.py"
    text = driver.read_text()
    driver.unlink()  # not through the link: the cache is everybody's here
    driver.write_text(f"{text}# changed\n")
    mops = [venv / "bin" / "mops", "doctor", "--install"]
    changed = run(mops, env=prepared.env, cwd=prepared.root).expect(1)
    assert "modelops/driver.py not as installed" in changed.out
    driver.unlink()
    assert "hint: uv pip install" in run(mops, env=prepared.env, cwd=prepared.root).expect(1).out


def test_a_file_edited_in_place_spoils_uvs_cache_but_not_the_next_install(
    prepared: Machine,
) -> None:
    """uv links the files of an installation to its cache: what is edited here is edited there."""
    edited = edit_an_installed_file(prepared, "--offline", str(prepared.wheels.folder))
    prepared.install_offline().expect(0)
    assert "# changed" not in edited.read_text()


@pytest.mark.nightly
def test_after_an_edit_a_git_source_needs_the_cache_cleaned_as_doctor_says(
    prepared: Machine,
) -> None:
    source = f"file://{copy_checkout(prepared.root / 'checkout')}"
    edited = edit_an_installed_file(prepared, "--from", source)
    said = prepared.install("--from", source).expect(1).err
    assert "not as installed" in said
    assert "cache clean modelops before it." in said
    prepared.uv("cache", "clean", "modelops")
    prepared.install("--from", source).expect(0)
    assert "# changed" not in edited.read_text()


def edit_an_installed_file(machine: Machine, *options: str) -> Path:
    """Install with a cache of its own, then append to a file as an editor does it."""
    cache = machine.root / "cache of its own"
    if machine.wheels.cache.exists():  # warm, if this is not the first test
        shutil.copytree(machine.wheels.cache, cache, symlinks=True)
    machine.env |= {"UV_CACHE_DIR": str(cache), "UV_LINK_MODE": "hardlink"}
    machine.install(*options).expect(0)
    driver = site_of(machine.tools / "modelops") / "modelops" / "driver.py"
    assert driver.stat().st_nlink > 1
    with driver.open("a") as file:
        file.write("# changed\n")
    return driver
