"""What the user selected of each file: all of it, or some names; kept right under every change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from modelops_contracts.registry import BundleRegistry, Entry, Kind, Source
from modelops_contracts.registry.ordering import put_in_order

Selected = Literal["all"] | list[str] | None


def select_names(registry: BundleRegistry, kind: Kind, path: str, names: Sequence[str]) -> None:
    """Record that the user chose these names of a file; none means all of them."""
    source = source_of(registry, path)
    selected = selected_in(source, kind)
    if not names:
        _set(registry, kind, path, "all")
    elif selected != "all":
        _set(registry, kind, path, sorted({*(selected or ()), *names}))


def exclude_names(
    registry: BundleRegistry, path: str, excluded: Sequence[str], chosen: Sequence[str]
) -> None:
    """Record what is never to be registered; what is chosen by name no longer is excluded."""
    if not excluded and path not in registry.sources:
        return
    source = source_of(registry, path)
    source.exclude = sorted({*source.exclude, *excluded} - set(chosen))
    _forget_if_empty(registry, path)


def drop_name(registry: BundleRegistry, kind: Kind, entry: Entry) -> None:
    """Forget that an entry was chosen by its name."""
    path = entry.path.as_posix()
    if path not in registry.sources:
        return
    selected = selected_in(registry.sources[path], kind)
    if isinstance(selected, list):
        selected = [name for name in selected if name != entry.symbol] or None
    _set(registry, kind, path, selected)


def follow_entry(
    registry: BundleRegistry, kind: Kind, previous: Entry, entry: Entry, *, old_file_stays: bool
) -> None:
    """Keep the selection right when an entry got another name or file."""
    old, new = previous.path.as_posix(), entry.path.as_posix()
    was = registry.sources.get(old, Source())
    if isinstance(selected_in(was, kind), list):
        drop_name(registry, kind, previous)
        select_names(registry, kind, new, [entry.symbol])
    elif old != new:
        _follow_file(registry, kind, was, entry, old_file_stays=old_file_stays)


def _follow_file(
    registry: BundleRegistry, kind: Kind, was: Source, entry: Entry, *, old_file_stays: bool
) -> None:
    """Select what moved; all of the new file when the whole old one became it."""
    path = entry.path.as_posix()
    now = registry.sources.get(path, Source())
    partly = isinstance(selected_in(now, kind), list)
    if old_file_stays or selected_in(was, kind) != "all" or partly:
        select_names(registry, kind, path, [entry.symbol])
        return
    select_names(registry, kind, path, [])
    new = registry.sources[path]
    new.exclude = sorted({*new.exclude, *was.exclude})


def source_of(registry: BundleRegistry, path: str) -> Source:
    """Return what was selected of a file; a file of which nothing was gets an empty record."""
    if path not in registry.sources:
        put_in_order(registry.sources, path, Source())
    return registry.sources[path]


def selected_in(source: Source, kind: Kind) -> Selected:
    """Return what was selected of the models, or of the targets."""
    return source.models if kind == "model" else source.targets


def _set(registry: BundleRegistry, kind: Kind, path: str, selected: Selected) -> None:
    source = registry.sources[path]
    if kind == "model":
        source.models = selected
    else:
        source.targets = selected
    _forget_if_empty(registry, path)


def _forget_if_empty(registry: BundleRegistry, path: str) -> None:
    if registry.sources[path] == Source():
        del registry.sources[path]
