"""What the user chose for an entry, also where an older file does not tell it from the rest."""

from __future__ import annotations

from pathlib import Path

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.data_files import Found
from modelops_bundle.code.entries import describe_entry
from modelops_contracts.discovery import FoundTarget
from modelops_contracts.registry import Entry, Registration, TargetEntry


def effective_registration(entry: Entry) -> Registration:
    """Return the user's choices, which older files leave to be read from the lists."""
    if _is_older(entry):
        return Registration(
            data=[path.as_posix() for path in entry.data],
            code=[path.as_posix() for path in entry.code],
            # Where the code says it, the code wins; a plain function says nothing.
            model_output=entry.model_output if isinstance(entry, TargetEntry) else None,
        )
    return entry.registration


def choices_to_record(codebase: Codebase, found: Found, entry: Entry) -> Registration:
    """Return the user's choices as they are to be written down.

    Of an older file only what the code does not say by itself: what it says is free to change.
    """
    chosen = effective_registration(entry)
    if not _is_older(entry):
        return chosen
    own = describe_entry(codebase, found, Registration(), entry_id="").entry
    said = isinstance(found, FoundTarget) and bool(found.model_output)
    return Registration(
        data=[path for path in chosen.data if Path(path) not in own.data],
        code=[path for path in chosen.code if Path(path) not in own.code],
        model_output=None if said else chosen.model_output,
    )


def _is_older(entry: Entry) -> bool:
    return entry.fingerprint is None and not entry.registration.to_dict()
