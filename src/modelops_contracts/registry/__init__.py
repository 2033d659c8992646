"""The model registry: which models, targets and target sets a project offers.

The values here are plain and, unlike every other value of this package, mutable: registering
and refreshing edit them before they are saved. Reading and writing the YAML file itself, with
its comments kept, is the business of `modelops_contracts.yaml_file`.
"""

from __future__ import annotations

from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_FILE, REGISTRY_PATH, Kind
from modelops_contracts.registry.discovering import (
    discover_model_classes,
    discover_model_outputs,
    discover_target_functions,
)
from modelops_contracts.registry.document import (
    REGISTRY_VERSION,
    BundleRegistry,
    RegistryReader,
    project_of,
    read_registry_data,
)
from modelops_contracts.registry.entries import (
    CodeMode,
    Entry,
    IdOrigin,
    ModelEntry,
    Registration,
    TargetEntry,
)
from modelops_contracts.registry.files import file_digest, module_name
from modelops_contracts.registry.reading import Locator
from modelops_contracts.registry.sections import EnvironmentRecord, Move, Source, TargetSet

__all__ = [
    "BUNDLE_STORAGE_DIR",
    "REGISTRY_FILE",
    "REGISTRY_PATH",
    "REGISTRY_VERSION",
    "BundleRegistry",
    "CodeMode",
    "Entry",
    "EnvironmentRecord",
    "IdOrigin",
    "Kind",
    "Locator",
    "ModelEntry",
    "Move",
    "Registration",
    "RegistryReader",
    "Source",
    "TargetEntry",
    "TargetSet",
    "discover_model_classes",
    "discover_model_outputs",
    "discover_target_functions",
    "file_digest",
    "module_name",
    "project_of",
    "read_registry_data",
]
