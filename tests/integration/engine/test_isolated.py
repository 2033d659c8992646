"""Isolated environments, built by the real uv from a folder of small wheels: no network."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from modelops.engine.environments.own_wheel import guest_requirements
from modelops.engine.environments.select import plan_environment
from modelops.engine.environments.spec import EnvironmentSpec, environment_folder, read_ready
from modelops.engine.environments.venv import ensure_environment
from modelops.engine.service import open_engine
from modelops_contracts.errors import InvalidInput
from modelops_contracts.testing.memory import RecordingReporter
from support.engine_projects import Collector, make_project, request

LOWEST = {"numpy": "2.0.0", "polars": "1.30.0", "ruamel.yaml": "0.18.0", "scipy": "1.14.0"}


def toy_wheel(folder: Path, name: str, version: str, *requires: str, **files: str) -> None:
    """A wheel of pure Python modules."""
    stem = f"{name.replace('-', '_').replace('.', '_')}-{version}"
    info = f"{stem}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {one}" for one in requires]
    content = {f"{key}.py": text for key, text in files.items()}
    content[f"{info}/METADATA"] = "\n".join([*metadata, ""])
    content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = []
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        lines.append(f"{path},sha256={digest.rstrip(b'=').decode()},{len(text)}")
    content[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for path, text in content.items():
            wheel.writestr(path, text)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name, version in LOWEST.items():
        toy_wheel(wheels, name, version)
    toy_wheel(wheels, "toylib", "1.0", "toybase>=1", toylib="VALUE = 'old'\n")
    toy_wheel(wheels, "toylib", "2.0", "toybase>=1", toylib="VALUE = 'new'\n")
    toy_wheel(wheels, "toybase", "1.5", toybase="")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_LINK_MODE": "copy",
    }


MODEL = """
import toylib


def answer(params, seed, config, scenario):
    return {"out": toylib.VALUE.encode()}
"""


def make(folder: Path, *dependencies: str) -> Path:
    make_project(folder, iso=MODEL)
    listed = ", ".join(f'"{one}"' for one in dependencies)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f"dependencies = [{listed}]\n"
    )
    return folder


Ensure = Callable[..., EnvironmentSpec]


@pytest.fixture
def ensure(tmp_path: Path, environ: dict[str, str]) -> Ensure:
    def build(root: Path, **options: object) -> EnvironmentSpec:
        cache = tmp_path / "cache"
        spec = plan_environment(root, cache_dir=cache)
        return ensure_environment(spec, cache_dir=cache, environ=environ, **options)

    return build


def test_the_lowest_versions_meet_our_requirements() -> None:
    assert len(guest_requirements()) == len(LOWEST)


def test_a_model_runs_with_its_own_dependencies(tmp_path: Path, ensure: Ensure) -> None:
    root = make(tmp_path / "project", "toylib==1.0")
    with pytest.raises(ModuleNotFoundError):
        __import__("toylib")
    reporter = RecordingReporter()
    spec = ensure(root, reporter=reporter)
    assert spec.ready
    assert dict(spec.versions)["toybase"] == "1.5"
    seen = Collector()
    with open_engine(
        root=root,
        environment=replace(spec, wire="stub_wire"),
        log_dir=tmp_path / "log",
        base_env=dict(os.environ),
    ) as engine:
        one = request()
        task = replace(one.task, entrypoint="iso.answer/baseline")
        engine.run([replace(one, task=task)], on_outcomes=seen)
    assert seen.outcomes[0].tables["out"] == b"old"


def test_the_digest_follows_what_was_installed(tmp_path: Path, ensure: Ensure) -> None:
    old, new, any_of_them = (
        ensure(make(tmp_path / name, dependency))
        for name, dependency in (("a", "toylib==1.0"), ("b", "toylib==2.0"), ("c", "toylib"))
    )
    assert old.digest != new.digest
    assert any_of_them.digest == new.digest
    assert any_of_them.build_key != new.build_key


def test_it_is_built_once(tmp_path: Path, ensure: Ensure) -> None:
    root = make(tmp_path / "project", "toylib")
    built = ensure(root)
    stamp = built.python.parent.stat().st_mtime_ns
    again = plan_environment(root, cache_dir=tmp_path / "cache")
    assert again.ready
    assert again.digest == built.digest
    assert ensure(root) == built
    assert built.python.parent.stat().st_mtime_ns == stamp


def test_two_at_once_build_it_once(tmp_path: Path, ensure: Ensure) -> None:
    root = make(tmp_path / "project", "toylib")
    results: list[EnvironmentSpec] = []
    threads = [threading.Thread(target=lambda: results.append(ensure(root))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert results[0] == results[1]


def test_old_projects_do_not_overwrite_our_packages(tmp_path: Path, ensure: Ensure) -> None:
    root = make(
        tmp_path / "project",
        "modelops-calabaria @ git+https://example.invalid/calabaria@main",
        "modelops-contracts==0.1",
        "modelops-bundle",
        "modelops",
        "toylib",
    )
    spec = ensure(root)
    names = {name.lower() for name, _version in spec.versions}
    assert "modelops" in names
    assert not names & {"modelops-calabaria", "modelops-contracts", "modelops-bundle"}
    code = "import modelops_contracts as m; print(m.__file__); import modelops_contracts.errors"
    asked = [str(spec.python), "-I", "-c", code]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path / "cache"))


def test_a_reason_is_given_and_remembered(tmp_path: Path, ensure: Ensure) -> None:
    root = make(tmp_path / "project", "toylib>=7")
    with pytest.raises(InvalidInput, match="toylib") as first:
        ensure(root)
    with pytest.raises(InvalidInput, match="toylib") as second:
        ensure(root)
    assert second.value.message == first.value.message
    assert "remove" in str(second.value.hint)
    with pytest.raises(InvalidInput) as third:
        ensure(root, retry=True)
    assert "remove" not in str(third.value.hint)
    make(tmp_path / "project", "toylib>=1")
    assert ensure(root).ready


def test_a_half_built_one_does_not_count(tmp_path: Path, ensure: Ensure) -> None:
    root = make(tmp_path / "project", "toylib")
    spec = plan_environment(root, cache_dir=tmp_path / "cache")
    folder = environment_folder(spec, tmp_path / "cache")
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    assert read_ready(spec, tmp_path / "cache") is None
    assert ensure(root).ready


def test_unused_ones_are_collected(tmp_path: Path, ensure: Ensure) -> None:
    old = ensure(make(tmp_path / "a", "toylib==1.0"))
    marker = old.python.parent.parent / "ready.json"
    os.utime(marker, (0, 0))
    ensure(make(tmp_path / "b", "toylib==2.0"))
    assert not marker.parent.exists()


def test_this_interpreter_is_untouched(ensure: Ensure, tmp_path: Path) -> None:
    spec = ensure(make(tmp_path / "project", "toylib"))
    assert not str(spec.python).startswith(sys.prefix)
    assert "toylib" not in sys.modules
