"""Objects that installed distributions offer under a group and a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelops_contracts.errors import Conflict, InvalidInput, NotFound, nearest

__all__ = ["Plugin", "find_plugin", "list_plugins", "load_object", "load_plugin"]


@dataclass(frozen=True, slots=True)
class Plugin:
    """One offer: ``reference`` is ``module:object``, ``distribution`` who makes it."""

    group: str
    name: str
    reference: str
    distribution: str


def list_plugins(group: str) -> list[Plugin]:
    """All offers of a group, sorted by name; the same offer seen twice on sys.path counts once."""
    from importlib.metadata import entry_points

    found = {
        Plugin(group, entry.name, entry.value, entry.dist.name if entry.dist else "unknown")
        for entry in entry_points(group=group)
    }
    return sorted(found, key=lambda plugin: (plugin.name, plugin.distribution))


def find_plugin(group: str, name: str) -> Plugin:
    """The one offer of this name. Raises NotFound naming the nearest, and Conflict naming the
    distributions when several make it."""
    offers = list_plugins(group)
    named = [plugin for plugin in offers if plugin.name == name]
    if len(named) == 1:
        return named[0]
    if named:
        owners = " and ".join(plugin.distribution for plugin in named)
        raise Conflict(
            f"{owners} both offer {name!r} in {group}",
            hint=f"uninstall one of {owners}",
        )
    known = sorted({plugin.name for plugin in offers})
    close = nearest(name, known)
    raise NotFound(
        f"nothing installed offers {name!r} in {group}",
        hint=f"did you mean {' or '.join(close)}?"
        if close
        else f"installed: {', '.join(known) or 'nothing'}",
    )


def load_plugin(group: str, name: str) -> Any:
    """The object behind the one offer of this name. Raises as find_plugin and load_object."""
    return load_object(find_plugin(group, name).reference)


def load_object(reference: str) -> Any:
    """The object that ``module:attribute.path`` names. An ImportError of the module passes
    through; an attribute that is not there is NotFound."""
    from importlib import import_module

    module_name, colon, path = reference.partition(":")
    if not colon or not module_name or not path:
        raise InvalidInput(f"{reference!r} must be module:object")
    found: Any = import_module(module_name)
    for part in path.split("."):
        if not hasattr(found, part):
            close = nearest(part, dir(found), n=1)
            raise NotFound(
                f"{module_name} has no {path!r}",
                hint=f"did you mean {close[0]!r}?" if close else None,
            )
        found = getattr(found, part)
    return found
