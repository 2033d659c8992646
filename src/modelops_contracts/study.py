"""Specification files: a study (rows to simulate) and a calibration (parameters to find)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelops_contracts.atomic import write_atomically
from modelops_contracts.calibration_spec import CalibrationSpec
from modelops_contracts.errors import InvalidInput, InvalidValue, MissingFile, nearest
from modelops_contracts.simulation_study import (
    CRN_MODES,
    DEFAULT_STUDY_SEED,
    ParameterSetEntry,
    SimulationStudy,
)

__all__ = [
    "CRN_MODES",
    "DEFAULT_STUDY_SEED",
    "CalibrationSpec",
    "ParameterSetEntry",
    "SimulationStudy",
    "load_spec",
    "write_spec",
]


def load_spec(path: str | os.PathLike[str]) -> SimulationStudy | CalibrationSpec:
    """Read a study or a calibration from a JSON file.

    A file with ``algorithm`` is a calibration, one with ``parameter_sets`` a study. Raises
    NotFound, or InvalidInput with every mistake and its path.
    """
    source = Path(path)
    data = _read_object(source)
    is_calibration, is_study = "algorithm" in data, "parameter_sets" in data
    if is_calibration == is_study:
        raise _neither_nor_both(source, data, both=is_study)
    try:
        return (CalibrationSpec if is_calibration else SimulationStudy).from_dict(data)
    except InvalidInput as error:
        raise InvalidValue(
            f"{source}: {error}", hint=error.hint, code=error.code, details=error.details
        ) from error


def _neither_nor_both(source: Path, data: Mapping[str, Any], *, both: bool) -> InvalidInput:
    if both:
        return InvalidInput(
            f"{source}: has both algorithm and parameter_sets",
            hint="keep algorithm for a calibration, parameter_sets for a study",
        )
    meant = [key for word in ("algorithm", "parameter_sets") for key in nearest(word, data, n=1)]
    found = f" (found {', '.join(map(repr, meant))})" if meant else ""
    return InvalidInput(
        f"{source}: neither a study (parameter_sets) nor a calibration (algorithm){found}",
        hint="cb sampling sobol or cb calibration optuna write such files",
    )


def _read_object(source: Path) -> dict[str, Any]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFile(
            f"specification file not found: {source}", hint="check the path, or make one with cb"
        ) from None
    except IsADirectoryError:
        raise InvalidInput(f"{source} is a directory, not a specification file") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{source}: not UTF-8 text: {error}") from error
    try:
        data = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{source}:{error.lineno}:{error.colno}: not JSON: {error.msg}"
        ) from error
    except _DuplicateKeyError as error:
        raise InvalidInput(f"{source}: key {error.args[0]!r} appears twice in one object") from None
    if not isinstance(data, dict):
        raise InvalidInput(f"{source}: must hold a JSON object")
    return data


class _DuplicateKeyError(Exception):
    pass


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _DuplicateKeyError(key)
        result[key] = value
    return result


def write_spec(spec: SimulationStudy | CalibrationSpec, path: str | os.PathLike[str]) -> None:
    """Write a specification file, replacing an older one whole."""
    text = json.dumps(spec.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text)
