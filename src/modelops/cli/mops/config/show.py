"""`mops config show`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import settings as complete_settings
from modelops.cli._console import Screen, table
from modelops_contracts.errors import InvalidInput, nearest


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its value, what it means, who decided it."""

    key: str
    value: str | int | float | bool | None
    source: str
    where: str
    doc: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, and which of their properties were asked for."""

    settings: list[Setting]
    origin: bool
    described: bool


def render(answer: Settings, screen: Screen) -> Iterator[str]:
    if answer.described:
        rows = [(item.key, shown(item.value), item.doc) for item in answer.settings]
        yield from table(("SETTING", "VALUE", "MEANING"), rows, screen)
        return
    for item in answer.settings:
        line = f"{item.key} = {shown(item.value)}"
        yield f"{line}  # {origin_text(item)}" if answer.origin else line


def shown(value: object) -> str:
    return "unset" if value is None else str(value)


def origin_text(item: Setting) -> str:
    return f"{item.source} {item.where}".rstrip()


@command(answer=Settings, render=render)
@click.argument("key", required=False, shell_complete=complete_settings)
@click.option("--origin", is_flag=True, help="Also say who decided: flag, variable, file and line.")
@click.option("--defaults", is_flag=True, help="All settings there are, with their meaning.")
def show(call: Call, key: str | None, origin: bool, defaults: bool) -> Settings:
    """Show the settings in force, and where they come from."""
    from modelops.config.model import known_settings, setting_value

    config = call.config
    for note in config.notes:
        call.console.warn(note)
    fields = known_settings()
    if key is not None:
        check_key(key)
    rows = []
    for name, item in fields.items():
        source = config.origins[name]
        value = setting_value(config, name)
        if key in (None, name):
            rows.append(
                Setting(name, plain(value), source.kind, source.where, item.metadata["doc"])
            )
    return Settings(rows, origin=origin, described=defaults)


def check_key(key: str) -> None:
    """Raises InvalidInput with the nearest keys for one that is not there."""
    from modelops.config.model import known_settings

    fields = known_settings()
    if key not in fields:
        near = nearest(key, fields)
        raise InvalidInput(
            f"there is no setting {key}" + (f"; nearest: {', '.join(near)}" if near else ""),
            hint="mops config show --defaults",
            code="config.unknown_key",
            exit_code=2,
        )


def plain(value: object) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
