"""Projects to start from: the tested examples, as they are.

In a checkout they stand in `examples/`; a wheel carries them beside this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from modelops_contracts.errors import Conflict, IntegrityError, InvalidInput, NotFound, nearest
from modelops_contracts.places import BUNDLE_STORAGE_DIR

__all__ = ["TEMPLATES", "Created", "Template", "create_project", "find_template"]

_NAME_LINE = re.compile(r'^name = "[^"]*"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Template:
    """An example under its name. ``commands`` go from its files to a report."""

    name: str
    alias: str
    title: str
    needs_index: bool
    commands: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where its files are. Raises IntegrityError in a damaged installation."""
        here = Path(__file__).resolve().parent
        for folder in (here / self.name, here.parents[2] / "examples" / self.name):
            if (folder / "pyproject.toml").is_file():
                return folder
        raise IntegrityError(
            f"template {self.name} is missing from this installation ({here})", hint="mops doctor"
        )

    def files(self) -> dict[str, bytes]:
        """Content by relative path, sorted; nothing that running or installing leaves behind."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        names = [path.relative_to(self.folder) for path in found]
        return {
            name.as_posix(): path.read_bytes()
            for name, path in zip(names, found, strict=True)
            if not any(part == "__pycache__" or part.startswith(".") for part in name.parts)
        }


TEMPLATES = (
    Template(
        "boarding-school",
        "sir",
        "Influenza in a boarding school, 1978: a stochastic and a deterministic SIR, real data",
        needs_index=False,
        commands=(
            "mops bundle register-model models/sir.py",
            "mops bundle register-target targets",
            (
                "cb calibration optuna models.sir:DeterministicSIR data/in_bed.csv "
                "beta:0.5:4.0:log,gamma:0.1:2.0:log,k:1.0:100.0:log -t in_bed --name fit"
            ),
            "mops run fit.json --report fit.html",
        ),
    ),
    Template(
        "scalar-metrics",
        "metrics",
        "Five numbers instead of a curve: attack rates and a peak, made-up data",
        needs_index=False,
        commands=(
            "mops bundle register-model models/town.py",
            "mops bundle register-target targets",
            (
                "cb calibration optuna models.town:Town data/summary.csv "
                "r0:1.1:4,infectious_days:1.5:8,child_contact:0.5:4:log "
                "-t summary -t by_age --name fit"
            ),
            "mops run fit.json --report fit.html",
        ),
    ),
    Template(
        "starsim-sir",
        "starsim",
        "A model of another framework (Starsim); its environment is built from a package index",
        needs_index=True,
        commands=(
            "mops bundle register-model network_sir.py",
            "mops bundle register-target survey.py",
            (
                "cb calibration optuna network_sir:NetworkSIR data/survey.csv "
                "beta:0.02:0.5:log,dur_inf:3:14 --fix n_contacts=4 -t survey --max-trials 20 "
                "--name fit"
            ),
            "mops run fit.json --report fit.html",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Created:
    """A new project: its folder, name and environment pin, and the files that were written."""

    root: Path
    repository: str
    files: tuple[str, ...]


def find_template(name: str) -> Template:
    """By name or alias. Raises NotFound with the nearest names."""
    for template in TEMPLATES:
        if name in {template.name, template.alias}:
            return template
    known = [known for template in TEMPLATES for known in (template.name, template.alias)]
    near = nearest(name, known) or known
    raise NotFound(
        f"template {name} not found; nearest: {', '.join(near)}",
        hint="mops init --list-templates",
        code="template.not_found",
    )


def create_project(
    root: Path, template: Template | None, *, name: str | None, env: str | None
) -> Created:
    """Write the files of a template and make the folder a project; all or nothing.

    Without a template the project is empty. Raises Conflict with every path that is taken already,
    InvalidInput for a name that no registry accepts; nothing is written then.
    """
    from modelops_bundle.project.config import repository_from
    from modelops_bundle.project.project import init_project

    files = {} if template is None else template.files()
    _refuse_taken(root, [*files, BUNDLE_STORAGE_DIR])
    title = (name or repository_from(root.resolve().name)).replace("/", "-")
    if "pyproject.toml" in files:
        files["pyproject.toml"] = _named(files["pyproject.toml"], title)
    with ExitStack() as undo:
        _write(root, files, undo)
        made = init_project(root, name=name, env=env, bare=template is None)
        undo.pop_all()
    return Created(made.root, made.repository, (*files, *made.created))


def _refuse_taken(root: Path, names: list[str]) -> None:
    if root.exists() and not root.is_dir():
        raise InvalidInput(f"{root} is a file; a project needs a folder", code="init.not_a_folder")
    taken = sorted(dict.fromkeys(_taken(root, names)))
    if taken:
        raise Conflict(
            f"{root} already holds {', '.join(taken)}; nothing was written",
            hint="mops init ANOTHER_FOLDER, or mops bundle init to make a project of what is there",
            code="init.files_exist",
        )


def _taken(root: Path, names: list[str]) -> Iterator[str]:
    """Paths that would be overwritten, and files that stand where a folder has to be."""
    for name in names:
        if (root / name).exists() or (root / name).is_symlink():
            yield name
        for parent in Path(name).parents[:-1]:
            if (root / parent).exists() and not (root / parent).is_dir():
                yield parent.as_posix()


def _named(content: bytes, name: str) -> bytes:
    return _NAME_LINE.sub(f'name = "{name}"', content.decode(), count=1).encode()


def _write(root: Path, files: dict[str, bytes], undo: ExitStack) -> None:
    """Exclusively: a file that appears meanwhile is not overwritten either."""
    for name, content in files.items():
        path = root / name
        _make_folder(path.parent, undo)
        with path.open("xb") as stream:
            undo.callback(path.unlink, missing_ok=True)
            stream.write(content)


def _make_folder(folder: Path, undo: ExitStack) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent, undo)
        folder.mkdir()
        undo.callback(_remove_if_empty, folder)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
