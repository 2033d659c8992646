"""JSON Schemas of the files people write, made from the dataclasses that read them.

``study.schema.json`` and ``calibration.schema.json`` lie beside this module for editors and other
languages. ``python -m modelops_contracts.schemas`` writes them anew; a test fails when they are
out of date.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelops_contracts.spec_rules import keys_of
from modelops_contracts.study import CalibrationSpec, SimulationStudy

__all__ = ["SCHEMAS", "read_schema", "schema_of", "schema_text"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: File name by the class it describes.
SCHEMAS: dict[type, str] = {
    SimulationStudy: "study.schema.json",
    CalibrationSpec: "calibration.schema.json",
}
_TITLES = {SimulationStudy: "Simulation study", CalibrationSpec: "Calibration"}


def schema_of(cls: type) -> dict[str, Any]:
    """The schema of a specification class, made now."""
    return {"$schema": DIALECT, "title": _TITLES[cls], **keys_of(cls).schema()}


def schema_text(cls: type) -> str:
    """The schema as it is stored."""
    return json.dumps(schema_of(cls), indent=2, ensure_ascii=False) + "\n"


def read_schema(cls: type) -> dict[str, Any]:
    """The stored schema of a specification class."""
    stored = Path(__file__).with_name(SCHEMAS[cls]).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(stored)
    return schema
