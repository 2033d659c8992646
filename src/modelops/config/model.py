"""Every setting there is, as one frozen tree.

A setting stands here only when something honours it. Its one-line doc, its reader and its default
stand beside it; consoles, the reference page and error messages read them from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_type_hints

from modelops.config.paths import Paths
from modelops_contracts.errors import InvalidValue, nearest

__all__ = [
    "Config",
    "JobSettings",
    "Origin",
    "RunSettings",
    "known_settings",
    "read_policy",
    "setting_value",
]

ExecutorName = Literal["process_pool", "inline"]
Isolation = Literal["warm", "fresh-per-batch", "fresh-per-simulation"]
Interpreter = Literal["auto", "direct", "isolated"]
Progress = Literal["auto", "bar", "plain", "none"]


# ---------------------------------------------------------------- readers: any source -> value


def read_choice(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in choices:
            near = nearest(str(value), choices, 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise InvalidValue(f"{value!r} is none of {', '.join(choices)}{meant}")
        return str(value)

    return read


def read_text(value: object) -> str:
    # YAML reads `no` as a boolean and `1` as a number; as names they are text.
    if isinstance(value, bool) or not isinstance(value, str | int | float) or str(value) == "":
        raise InvalidValue(f"{value!r} is no text")
    return str(value)


def read_optional_text(value: object) -> str | None:
    return None if value is None else read_text(value)


def read_workers(value: object) -> int | None:
    if value is None or value == "auto":
        return None
    number = _whole_number(value)
    if number < 1:
        raise InvalidValue(f"{value!r} is no number of processes; give 1 or more, or auto")
    return number


def read_seconds(value: object) -> float | None:
    if value is None or value in {"off", "none", False}:
        return None
    try:
        seconds = float(cast("Any", value))
    except (TypeError, ValueError):
        raise InvalidValue(f"{value!r} is no number of seconds") from None
    if not 0 < seconds < float("inf"):
        raise InvalidValue(f"{value!r}: seconds must be a finite number above 0, or off")
    return seconds


def read_policy(value: object) -> str:
    """``"5"`` (a count) or ``"10%"`` (a share of all): what a job may lose and still succeed."""
    text = str(value).strip()
    number = text.removesuffix("%")
    try:
        amount = float(number) if text.endswith("%") else _whole_number(number)
    except (TypeError, ValueError):
        raise InvalidValue(f"{value!r} is neither a count (5) nor a share (10%)") from None
    if amount < 0 or (text.endswith("%") and not amount <= 100):
        raise InvalidValue(f"{value!r}: a count is at least 0, a share between 0% and 100%")
    return text


def _whole_number(value: object) -> int:
    if isinstance(value, bool):
        raise InvalidValue(f"{value!r} is no whole number")
    try:
        return int(cast("Any", value))
    except (TypeError, ValueError):
        raise InvalidValue(f"{value!r} is no whole number") from None


# ---------------------------------------------------------------- the tree


def _about(doc: str, read: Callable[[object], object]) -> Mapping[str, object]:
    return {"doc": doc, "read": read}


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How simulations are run."""

    executor: ExecutorName = field(
        default="process_pool",
        metadata=_about(
            "process_pool: one supervised process per core; inline: in the driver, for debugging",
            read_choice("process_pool", "inline"),
        ),
    )
    workers: int | None = field(
        default=None,
        metadata=_about("processes to run at once; auto: one per core", read_workers),
    )
    timeout: float | None = field(
        default=None,
        metadata=_about("seconds one simulation may take; off: no limit", read_seconds),
    )
    isolation: Isolation = field(
        default="warm",
        metadata=_about(
            "how often a runner process is replaced: never (warm), per batch, per simulation",
            read_choice("warm", "fresh-per-batch", "fresh-per-simulation"),
        ),
    )
    interpreter: Interpreter = field(
        default="auto",
        metadata=_about(
            "direct: this Python; isolated: an environment built for the bundle; auto: direct "
            "when it has all the project's dependencies",
            read_choice("auto", "direct", "isolated"),
        ),
    )
    python: str | None = field(
        default=None,
        metadata=_about(
            "interpreter that isolated environments are built with", read_optional_text
        ),
    )


@dataclass(frozen=True, slots=True)
class JobSettings:
    """When a job counts as successful."""

    max_failed: str = field(
        default="0",
        metadata=_about(
            "simulations of a study that may fail: a count or a share such as 5%", read_policy
        ),
    )
    max_failed_trials: str = field(
        default="20%",
        metadata=_about("trials of a calibration that may fail: a count or a share", read_policy),
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the kind of source, and the flag, variable or file and line."""

    kind: Literal["flag", "variable", "project", "user", "default"]
    where: str


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one command, resolved once and passed down."""

    environment: str = field(
        default="local",
        metadata=_about("environment that commands act on", read_text),
    )
    progress: Progress = field(
        default="auto",
        metadata=_about(
            "how progress is shown: bar, plain lines, none; auto: bar on a terminal, else lines",
            read_choice("auto", "bar", "plain", "none"),
        ),
    )
    run: RunSettings = field(default_factory=RunSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    paths: Paths = field(default=Paths(Path(".modelops")), metadata={"derived": True})
    project_root: Path | None = field(default=None, metadata={"derived": True})
    origins: Mapping[str, Origin] = field(
        default_factory=lambda: MappingProxyType({}), metadata={"derived": True}
    )
    notes: tuple[str, ...] = field(default=(), metadata={"derived": True})


def known_settings() -> Mapping[str, Field[Any]]:
    """Dotted key -> field, in the order of the tree (``run.workers``)."""
    return MappingProxyType(dict(_walk(Config, "")))


def _walk(kind: type, prefix: str) -> Iterator[tuple[str, Field[Any]]]:
    hints = get_type_hints(kind)
    for item in fields(kind):
        if item.metadata.get("derived"):
            continue
        if is_dataclass(hints[item.name]):
            yield from _walk(cast("type", hints[item.name]), f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, item


def setting_value(config: Config, key: str) -> object:
    """The value under a dotted key. Raises KeyError when there is no such setting."""
    if key not in known_settings():
        raise KeyError(key)
    value: object = config
    for part in key.split("."):
        value = getattr(value, part)
    return value
