"""What a file offers, asked by its path; nothing is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def discover_model_classes(path: Path | str) -> list[tuple[str, list[str]]]:
    """Return the model classes of a file with their bases as written, without importing it."""
    from modelops_contracts.discovery import list_models, scan_file

    return [(model.name, list(model.bases)) for model in list_models(scan_file(Path(path)))]


def discover_model_outputs(path: Path | str) -> dict[str, list[str]]:
    """Return the outputs of each model class of a file, without importing it."""
    from modelops_contracts.discovery import list_models, scan_file

    return {model.name: list(model.outputs) for model in list_models(scan_file(Path(path)))}


def discover_target_functions(path: Path | str) -> list[tuple[str, dict[str, Any]]]:
    """Return the target functions of a file with their decorator's arguments.

    A value that cannot be read without running the file is given as its source text.
    """
    from modelops_contracts.discovery import list_targets, scan_file

    found = list_targets(scan_file(Path(path)))
    return [(target.name, target.arguments()) for target in found if not target.plain]
