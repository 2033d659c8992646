"""What a source file says about models and targets, read from its syntax tree alone.

Nothing here runs or imports the author's code, and nothing touches a disk except `scan_file`.
One file is scanned into `ModuleFacts`; names that lead into other files of the project are
followed through a `Lookup`, which maps a module name to the facts of that file, or to None when
the module is not part of the project.
"""

from __future__ import annotations

from modelops_contracts.discovery.constants import read_constant
from modelops_contracts.discovery.facts import (
    Binding,
    Import,
    Lookup,
    ModuleFacts,
    Note,
    dotted_parts,
    no_other_files,
    parse_source,
    scan_file,
    scan_source,
    top_level_statements,
)
from modelops_contracts.discovery.models import (
    DEFAULT_SCENARIO,
    FoundModel,
    find_class,
    list_models,
)
from modelops_contracts.discovery.names import SUITE_PACKAGES, Symbol, resolve
from modelops_contracts.discovery.targets import FoundTarget, list_targets

__all__ = [
    "DEFAULT_SCENARIO", "SUITE_PACKAGES", "Binding", "FoundModel", "FoundTarget", "Import",
    "Lookup", "ModuleFacts", "Note", "Symbol", "dotted_parts", "find_class", "list_models",
    "list_targets", "no_other_files", "parse_source", "read_constant", "resolve", "scan_file",
    "scan_source", "top_level_statements",
]  # fmt: skip
