"""`.modelops-bundle/config.yaml`: what a project says about its bundle; no secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelops_contracts.errors import Detail, InvalidInput, nearest

REPOSITORY = r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*"
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
LONGEST_REPOSITORY = 255

_STORAGE_KEYS = frozenset({
    "container", "force_blob_patterns", "force_oci_patterns", "mode", "prefix", "provider",
    "threshold_bytes",
})  # fmt: skip
_AUTO_CODE_KEYS = frozenset({"code_roots", "import_mode", "ignore"})
_KEYS = frozenset({
    "cache_dir", "cache_link_mode", "default_tag", "registry_ref", "storage", "auto_code",
    "repository", "use_gitignore", "import_roots", "secret_exceptions", "transfer",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """The settings of one project.

    `settings` keeps the whole file as it was read, so that keys which other tools own are not
    lost when the file is written again.
    """

    repository: str | None = None
    default_tag: str = "latest"
    use_gitignore: bool = False
    import_roots: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    secret_exceptions: frozenset[tuple[str, str]] = frozenset()
    registry_ref: str | None = None
    parallel: int = 8
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def is_repository(name: str) -> bool:
    """True for a name that a registry accepts."""
    return len(name) <= LONGEST_REPOSITORY and re.fullmatch(REPOSITORY, name) is not None


def repository_from(text: str) -> str:
    """Turn any text, such as a directory name, into a valid repository name."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name[:LONGEST_REPOSITORY].rstrip("-") or "project"


def check_tag(tag: str) -> str:
    """Return `tag`, or raise `InvalidInput` when no registry would accept it."""
    if not re.fullmatch(TAG, tag):
        raise InvalidInput(
            f"tag {tag!r} is not valid: letters, digits, '_', '.', '-', at most 128, "
            "not starting with '.' or '-'"
        )
    return tag


def read_config(data: Any, path: Path) -> BundleConfig:
    """Build the settings from parsed YAML, reporting every mistake at once."""
    mistakes: list[Detail] = []
    node = _mapping(data, "$", mistakes)
    _check_keys(node, _KEYS, "$", mistakes)
    storage = _mapping(node.get("storage"), "$.storage", mistakes)
    _check_keys(storage, _STORAGE_KEYS, "$.storage", mistakes)
    _check_storage(storage, mistakes)
    auto_code = _mapping(node.get("auto_code"), "$.auto_code", mistakes)
    _check_keys(auto_code, _AUTO_CODE_KEYS, "$.auto_code", mistakes)
    transfer = _mapping(node.get("transfer"), "$.transfer", mistakes)
    _check_keys(transfer, frozenset({"parallel"}), "$.transfer", mistakes)
    roots = _texts(node.get("import_roots"), "$.import_roots", mistakes)
    roots += _texts(auto_code.get("code_roots"), "$.auto_code.code_roots", mistakes)
    config = BundleConfig(
        repository=_repository(node.get("repository"), mistakes),
        default_tag=_text(node.get("default_tag"), "$.default_tag", mistakes) or "latest",
        use_gitignore=_flag(node.get("use_gitignore"), "$.use_gitignore", mistakes),
        import_roots=tuple(dict.fromkeys(root.strip("/") for root in roots)),
        ignore=tuple(_texts(auto_code.get("ignore"), "$.auto_code.ignore", mistakes)),
        secret_exceptions=_exceptions(node.get("secret_exceptions"), mistakes),
        registry_ref=_text(node.get("registry_ref"), "$.registry_ref", mistakes),
        parallel=_parallel(transfer.get("parallel"), mistakes),
        settings=node,
    )
    if mistakes:
        listed = "; ".join(str(item) for item in mistakes)
        raise InvalidInput(f"{path}: {listed}", details=mistakes)
    return config


def _check_keys(
    node: Mapping[str, Any], known: frozenset[str], path: str, mistakes: list[Detail]
) -> None:
    for key in node:
        if key not in known:
            close = nearest(str(key), known, 1)
            advice = f"; did you mean {close[0]}?" if close else ""
            mistakes.append(Detail(f"{path}.{key}", f"unknown key{advice}"))


def _check_storage(storage: Mapping[str, Any], mistakes: list[Detail]) -> None:
    mode = storage.get("mode", "auto")
    if mode not in {"auto", "oci-only", "oci-inline"}:
        mistakes.append(
            Detail("$.storage.mode", f"{mode!r} is not supported: files are kept in OCI layers")
        )


def _mapping(value: Any, path: str, mistakes: list[Detail]) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    mistakes.append(Detail(path, "must be a mapping"))
    return {}


def _text(value: Any, path: str, mistakes: list[Detail]) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    mistakes.append(Detail(path, "must be text (put it in quotes)"))
    return None


def _flag(value: Any, path: str, mistakes: list[Detail]) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    mistakes.append(Detail(path, "must be true or false"))
    return False


def _texts(value: Any, path: str, mistakes: list[Detail]) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(value)
    mistakes.append(Detail(path, "must be a list of texts"))
    return []


def _repository(value: Any, mistakes: list[Detail]) -> str | None:
    name = _text(value, "$.repository", mistakes)
    if name is not None and not is_repository(name):
        mistakes.append(
            Detail("$.repository", f"{name!r} is not valid; {repository_from(name)!r} would be")
        )
    return name


def _parallel(value: Any, mistakes: list[Detail]) -> int:
    if value is None:
        return 8
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 32:
        mistakes.append(Detail("$.transfer.parallel", "must be a whole number from 1 to 32"))
        return 8
    return value


def _exceptions(value: Any, mistakes: list[Detail]) -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, Mapping) and set(item) == {"path", "rule"}:
            found.add((str(item["path"]), str(item["rule"])))
        else:
            mistakes.append(Detail(f"$.secret_exceptions[{index}]", "must have path and rule"))
    if value is not None and not isinstance(value, list):
        mistakes.append(Detail("$.secret_exceptions", "must be a list"))
    return frozenset(found)
