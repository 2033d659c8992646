"""Where a project keeps its records, and what kinds of entries it has; constants alone."""

from __future__ import annotations

from typing import Literal

BUNDLE_STORAGE_DIR = ".modelops-bundle"
REGISTRY_FILE = "registry.yaml"
REGISTRY_PATH = f"{BUNDLE_STORAGE_DIR}/{REGISTRY_FILE}"

Kind = Literal["model", "target"]
