"""The project's Python files, each read and parsed at most once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from modelops_bundle.code.environment import PROJECT_FILE, EnvironmentFacts, read_environment
from modelops_bundle.code.fingerprint import file_fingerprint, mentions_docstrings
from modelops_bundle.project.ignoring import IGNORE_FILE, IgnoreRules
from modelops_bundle.project.parse_cache import ParseCache
from modelops_bundle.project.project import LOCK_FILES, Project
from modelops_bundle.snapshot.index import StatIndex
from modelops_bundle.snapshot.scan import WorkingFiles
from modelops_contracts.discovery import ModuleFacts, scan_source
from modelops_contracts.errors import InvalidInput, NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer about the project was read from: names that must exist as they did.

    `files` are root-relative paths whose content and mode count, whether there is such a file or
    not; `folders` maps directories to the digest of the names in them.
    """

    files: tuple[str, ...]
    folders: Mapping[str, str]


def digest_names(names: Iterable[str]) -> str:
    """Return a digest of the names in a directory."""
    text = "\0".join(sorted(names))
    return hashlib.sha256(os.fsencode(text)).hexdigest()


class Codebase:
    """Everything that discovery needs to know about a project's files.

    Names are compared with directory listings, so a file system that does not tell upper from
    lower case gives the same answers as one that does.
    """

    def __init__(
        self,
        root: Path,
        *,
        import_roots: Sequence[str] = (),
        ignore: IgnoreRules | None = None,
        files: WorkingFiles | None = None,
        cache: ParseCache | None = None,
    ) -> None:
        self.root = root
        self.ignore = ignore or IgnoreRules(root)
        self.files = files or WorkingFiles(root, StatIndex(None))
        self.cache = cache or ParseCache(None)
        self._import_roots = _order_roots(root, import_roots)
        self._listings: dict[str, frozenset[str]] = {}
        self._sources: dict[str, bytes] = {}
        self._facts: dict[str, ModuleFacts | InvalidInput] = {}
        self._environment: EnvironmentFacts | None = None
        self._touched: set[str] = set()
        self._answers: dict[tuple[object, ...], Any] = {}

    @property
    def import_roots(self) -> tuple[str, ...]:
        """Root-relative directories that modules are imported from, deepest first; `""` is root."""
        return self._import_roots

    @property
    def environment(self) -> EnvironmentFacts:
        """What the project declares about its dependencies."""
        if self._environment is None:
            self._environment = read_environment(self.root)
        return self._environment

    def is_file(self, path: str) -> bool:
        """True when exactly this name exists and is a file (or a link to one)."""
        clean = PurePosixPath(path)
        return self._is_listed(clean) and (self.root / clean).is_file()

    def is_directory(self, path: str) -> bool:
        """True when exactly this name exists and is a directory."""
        clean = PurePosixPath(path)
        return self._is_listed(clean) and (self.root / clean).is_dir()

    def digest(self, path: str) -> str | None:
        """Return `sha256:<hex>` of a file's content; None when it is missing."""
        return self.files.digest(path) if self.is_file(path) else None

    def source(self, path: str) -> bytes:
        """Return a file's bytes; `NotFound` when it is missing."""
        if path not in self._sources:
            if not self.is_file(path):
                raise NotFound(f"file {path} not found")
            self._sources[path] = (self.root / path).read_bytes()
        return self._sources[path]

    def facts(self, path: str) -> ModuleFacts:
        """Return what a file says; `InvalidInput` when it does not parse, `NotFound` without it."""
        if path not in self._facts:
            self._facts[path] = self._scan(path)
        found = self._facts[path]
        if isinstance(found, InvalidInput):
            raise found
        return found

    def lookup(self, module: str) -> ModuleFacts | None:
        """Return the facts of a module of this project, or None."""
        path = self.file_of(module)
        if path is None:
            return None
        try:
            return self.facts(path)
        except InvalidInput:
            return None

    def module_of(self, path: str) -> str:
        """Return the importable name of a file."""
        for root in self._import_roots:
            if not root or path.startswith(root + "/"):
                inner = PurePosixPath(path[len(root) + 1 :] if root else path)
                parts = inner.with_suffix("").parts
                parts = parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts
                return ".".join(parts)
        raise AssertionError("the project root is always an import root")

    def file_of(self, module: str) -> str | None:
        """Return the file of a module of this project, or None."""
        inner = module.replace(".", "/")
        if not inner:
            return None
        for root in reversed(self._import_roots):
            base = f"{root}/{inner}" if root else inner
            for candidate in (f"{base}/__init__.py", f"{base}.py"):
                if self.is_file(candidate):
                    return candidate
        return None

    def package_files(self, path: str) -> Iterator[str]:
        """Yield the `__init__.py` files that importing a file runs, outermost first."""
        root = next(r for r in self._import_roots if not r or path.startswith(r + "/"))
        inner = path[len(root) + 1 :] if root else path
        folder = root
        for part in inner.split("/")[:-1]:
            folder = f"{folder}/{part}" if folder else part
            candidate = f"{folder}/__init__.py"
            if candidate != path and self.is_file(candidate):
                yield candidate

    def fingerprint(self, path: str) -> str:
        """Return the fingerprint of a whole file, remembered by its content."""
        digest = self.digest(path) or ""
        return str(self.cache.get("fp1", digest, lambda: self._fingerprint(path)))

    def once(self, compute: Callable[..., T], *question: object) -> T:
        """Return `compute(self, *question)`, computed the first time only.

        Many entries share a file, a folder or an import, and ask the same of it.
        """
        key = (compute, *question)
        if key not in self._answers:
            self._answers[key] = compute(self, *question)
        answer: T = self._answers[key]
        return answer

    def names_in(self, folder: str) -> frozenset[str]:
        """Return the names in a root-relative directory; `""` is the root."""
        return self._listing(folder)

    def evidence(self, also: Iterable[str] = ()) -> Evidence:
        """Return everything on disk that answers were read from so far."""
        rules = {f"{prefix}.gitignore" for prefix in self.ignore.consulted}
        fixed = {".gitignore", IGNORE_FILE, PROJECT_FILE, *LOCK_FILES}
        folders = {*self._listings, *self.ignore.walked}
        return Evidence(
            files=tuple(sorted({*self._touched, *rules, *fixed, *also})),
            folders={folder: digest_names(self._listing(folder)) for folder in sorted(folders)},
        )

    def save(self) -> None:
        """Write what was learnt about the files, for the next command."""
        self.files.save()
        self.cache.save()

    def _fingerprint(self, path: str) -> str:
        keep = mentions_docstrings(self.source(path))
        return file_fingerprint(self.facts(path).tree, keep_docstrings=keep)

    def _scan(self, path: str) -> ModuleFacts | InvalidInput:
        try:
            return scan_source(self.source(path), path=path, module=self.module_of(path))
        except InvalidInput as error:
            return error

    def _is_listed(self, path: PurePosixPath) -> bool:
        if path.is_absolute() or ".." in path.parts or not path.parts:
            return False
        folder = ""
        for part in path.parts:
            if part not in self._listing(folder):
                return False
            folder = f"{folder}/{part}" if folder else part
        self._touched.add(path.as_posix())
        return True

    def _listing(self, folder: str) -> frozenset[str]:
        if folder not in self._listings:
            try:
                names = frozenset(os.listdir(self.root / folder))  # noqa: PTH208  (names only)
            except OSError:
                names = frozenset()
            self._listings[folder] = names
        return self._listings[folder]


def open_codebase(project: Project) -> Codebase:
    """Return the files of a project, with what earlier commands learnt about them."""
    index = StatIndex(project.storage / "index.json")
    return Codebase(
        project.root,
        import_roots=project.config.import_roots,
        ignore=project.ignore_rules(),
        files=WorkingFiles(project.root, index),
        cache=project.open_cache(),
    )


def _order_roots(root: Path, configured: Sequence[str]) -> tuple[str, ...]:
    source = ["src"] if (root / "src").is_dir() and not (root / "src/__init__.py").exists() else []
    found = {item.strip("/") for item in (*configured, *source)} | {""}
    return tuple(sorted(found, key=lambda item: (-len(item), item)))
