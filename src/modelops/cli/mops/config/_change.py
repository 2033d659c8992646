"""What `config set`, `config unset` and `env use` share: a setting that changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelops.cli._call import Call
from modelops.cli._console import Screen
from modelops.cli.mops.config.show import check_key, plain, shown
from modelops_contracts.errors import Conflict

if TYPE_CHECKING:
    from modelops.config.model import Config
    from modelops.config.paths import Paths

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A setting before and after, in the file that was written. `value` is what is in force now."""

    key: str
    old: Value
    new: Value
    value: Value
    source: str
    file: str
    changed: bool


def render_change(answer: Changed, screen: Screen) -> Iterator[str]:
    arrow = screen.mark("→", "->")
    if answer.changed:
        yield f"{answer.key}: {shown(answer.old)} {arrow} {shown(answer.new)}  ({answer.file})"
    else:
        yield f"{answer.key} was not set in {answer.file}"


def find_paths(call: Call) -> Paths:
    """Where the user's file is, also when it cannot be read."""
    from modelops.config.paths import Paths
    from modelops.config.sources import resolve_home

    return Paths(resolve_home(call.environment))


def reload(call: Call) -> Config:
    """The configuration as it is after a change."""
    call.__dict__.pop("config", None)
    return call.config


def set_for_user(call: Call, key: str, text: str) -> Changed:
    """Write a setting into the user's file; warn when a stronger source goes on deciding."""
    from modelops.config.model import setting_value
    from modelops.config.sources import set_user_value

    check_key(key)
    before = call.config
    for note in before.notes:
        raise Conflict(
            f"{note}; a setting of this version would not stand in it",
            hint=f"move {before.paths.config_file} away first",
            code="config.older_file",
        )
    old = plain(setting_value(before, key))
    new = plain(set_user_value(before.paths, key, text))
    after = reload(call)
    origin = after.origins[key]
    if origin.kind != "user":
        call.console.warn(f"{origin.where} goes on deciding: {key} stays as it says")
    value = plain(setting_value(after, key))
    return Changed(key, old, new, value, origin.kind, str(before.paths.config_file), changed=True)
