"""Builds isolated environments with uv: once per key, whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelops.engine.environments.own_wheel import write_wheel
from modelops.engine.environments.requirements import OWN_DISTRIBUTIONS
from modelops.engine.environments.select import ask_interpreter, digest_of_versions
from modelops.engine.environments.spec import (
    READY_FILE,
    EnvironmentSpec,
    environment_folder,
    read_ready,
)
from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.errors import InvalidInput, Unavailable
from modelops_contracts.ports import NullReporter, Reporter

__all__ = ["ensure_environment"]

_BUILD_SECONDS = 1800.0
_UNUSED_SECONDS = 30 * 86400.0
_NETWORK = ("error sending request", "failed to fetch", "dns error", "timed out", "connection")


def ensure_environment(
    spec: EnvironmentSpec,
    *,
    cache_dir: Path,
    reporter: Reporter | None = None,
    environ: Mapping[str, str] | None = None,
    retry: bool = False,
) -> EnvironmentSpec:
    """The spec with an interpreter that is there, building the environment when it is not.

    Two callers build it once; one that was killed while building leaves nothing that counts.
    Raises InvalidInput with uv's reason when the dependencies cannot be met: that is remembered
    until they change or ``retry`` is set. Raises Unavailable when an index cannot be reached.
    ``environ`` are the variables uv sees (this process's own when absent).
    """
    if spec.kind == "direct":
        return spec
    ready = read_ready(spec, cache_dir)
    if ready is None:
        folder = environment_folder(spec, cache_dir)
        with FileLock(folder.with_suffix(".lock"), timeout=_BUILD_SECONDS):
            ready = read_ready(spec, cache_dir)
            if ready is None:
                _refuse_known_failure(folder, retry=retry)
                _build(spec, cache_dir, reporter or NullReporter(), environ)
                ready = read_ready(spec, cache_dir)
        _remove_unused(cache_dir, keep=folder)
    assert ready is not None, "a build that ends without an error is ready"
    return ready


def _build(
    spec: EnvironmentSpec,
    cache_dir: Path,
    reporter: Reporter,
    environ: Mapping[str, str] | None,
) -> None:
    folder = environment_folder(spec, cache_dir)
    shutil.rmtree(folder, ignore_errors=True)
    reporter.start("building the project's environment", None)
    uv = _Uv(folder, environ)
    try:
        uv.run("venv", "--no-project", "--python", spec.interpreter, str(folder))
        inputs = _write_inputs(spec, cache_dir, folder, uv)
        reporter.note(f"installing {', '.join(spec.requirements) or 'no dependencies'}")
        uv.run("pip", "install", "--compile-bytecode", *inputs, cwd=spec.project)
        _mark_ready(spec, folder)
    except InvalidInput as error:
        _remember_failure(folder, error)
        raise
    finally:
        reporter.finish()


def _write_inputs(spec: EnvironmentSpec, cache_dir: Path, folder: Path, uv: _Uv) -> list[str]:
    """Arguments of the installation: overrides, our wheel, and what the project asks for."""
    assert spec.project is not None, "an isolated environment belongs to a project"
    wheel = write_wheel(cache_dir / "wheels")
    own = f"modelops @ {wheel.absolute().as_uri()}"
    # The old distributions hold packages of the same names as ours: they must not be installed
    # over them. A marker that never applies drops them; the project's files stay as they are.
    dropped = [f'{name} ; python_version < "3"' for name in OWN_DISTRIBUTIONS if name != "modelops"]
    overrides = folder / "overrides.txt"
    overrides.write_text("\n".join([*dropped, own, ""]), encoding="utf-8")
    declared = spec.project / "pyproject.toml"
    if spec.lock is not None:
        declared = folder / "locked.txt"
        uv.run(
            "export",
            "--frozen",
            "--no-emit-project",
            "--no-hashes",
            "--no-dev",
            "--output-file",
            str(declared),
            cwd=spec.project,
        )
    wanted = ["-r", str(declared)] if declared.is_file() else []
    python = str(folder / "bin" / "python")
    return ["--python", python, "--override", str(overrides), *wanted, own]


def _mark_ready(spec: EnvironmentSpec, folder: Path) -> None:
    seen = ask_interpreter(folder / "bin" / "python")
    content = {
        "build_key": spec.build_key,
        "digest": digest_of_versions(seen["python"], seen["platform"], seen["versions"]),
        "python": seen["python"],
        "versions": seen["versions"],
    }
    write_atomically(folder / READY_FILE, json.dumps(content, indent=2, sort_keys=True))


class _Uv:
    """uv of our own environment, with its errors in our words."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None) -> None:
        import uv

        self._program = uv.find_uv_bin()
        self._folder = folder
        self._environ = None if environ is None else dict(environ)

    def run(self, *arguments: str, cwd: Path | None = None) -> None:
        done = subprocess.run(
            [self._program, "--no-progress", *_trust(), *arguments],
            cwd=cwd,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise _build_error(arguments, done.stderr)


def _trust() -> list[str]:
    """Trust what this machine trusts: uv's own list knows no certificate of a company's proxy."""
    import ssl

    paths = ssl.get_default_verify_paths()
    places = (paths.openssl_cafile, paths.openssl_capath, paths.cafile, paths.capath)
    return ["--system-certs"] if any(place and Path(place).exists() for place in places) else []


def _build_error(arguments: Sequence[str], stderr: str) -> InvalidInput | Unavailable:
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    text = "\n".join(lines[-20:]) or f"uv {arguments[0]} gave no reason"
    message = f"the project's environment cannot be built:\n{text}"
    if any(sign in stderr.lower() for sign in _NETWORK):
        return Unavailable(message, hint="check the connection to the package index, then again")
    return InvalidInput(
        message,
        hint="correct [project] dependencies or requires-python in pyproject.toml",
        code="environment.unbuildable",
    )


def _failure_file(folder: Path) -> Path:
    return folder.with_suffix(".failed.json")


def _remember_failure(folder: Path, error: InvalidInput) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    content: dict[str, Any] = {"message": error.message, "hint": error.hint}
    write_atomically(_failure_file(folder), json.dumps(content))


def _refuse_known_failure(folder: Path, *, retry: bool) -> None:
    path = _failure_file(folder)
    if retry or not path.is_file():
        path.unlink(missing_ok=True)
        return
    known = json.loads(path.read_text(encoding="utf-8"))
    raise InvalidInput(
        known["message"],
        hint=f"{known['hint']}; to try again as it is, remove {path}",
        code="environment.unbuildable",
    )


def _remove_unused(cache_dir: Path, *, keep: Path) -> None:
    """Environments that nobody has used for a month."""
    limit = time.time() - _UNUSED_SECONDS
    for marker in cache_dir.glob(f"*/{READY_FILE}"):
        if marker.parent != keep and marker.stat().st_mtime < limit:
            marker.unlink()
            shutil.rmtree(marker.parent, ignore_errors=True)
