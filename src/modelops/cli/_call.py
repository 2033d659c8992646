"""One call of a command: its common options, its console, and the road from answer to output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelops.cli._console import Console
from modelops.cli._json import schema_name, to_json

if TYPE_CHECKING:
    from modelops.cli._progress import ConsoleReporter
    from modelops.config.model import Config


@dataclass(frozen=True, slots=True)
class Done:
    """An answer that is printed, and an exit code that is not 0 all the same."""

    answer: Any
    exit_code: int = 0


class Call:
    """What a command is given beside its own options."""

    def __init__(self, path: str, flags: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.path = path
        self.flags = flags
        self.environment = environment
        self.settings: dict[str, Any] = {}
        self.console = Console(
            environment,
            json=bool(flags.get("json")),
            quiet=bool(flags.get("quiet")),
            verbose=int(flags.get("verbose", 0)),
            no_color=bool(flags.get("no_color")),
            yes=bool(flags.get("yes")),
        )

    @property
    def schema(self) -> str:
        return schema_name(self.path)

    @property
    def start(self) -> Path:
        """The folder the search for a project begins in: --project, else the working directory."""
        from modelops_contracts.errors import NotFound

        given = self.flags.get("project")
        if given is None:
            try:
                return Path.cwd()
            except FileNotFoundError:
                gone = "the working directory is gone: it was removed or renamed"
                raise NotFound(gone, code="project.not_found", hint='cd "$HOME"') from None
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise NotFound(f"--project {given}: no such folder", code="project.not_found")
        return folder.resolve()

    @cached_property
    def config(self) -> Config:
        """The configuration of this call: flags, environment variables, project, user, defaults."""
        from modelops.config.sources import load_config

        return load_config(self.config_flags(), self.environment, self.start)

    def check_environment(self) -> None:
        """Refuse an environment that is not there, also in commands that do not use it."""
        from modelops.config.environments import load_environment

        load_environment(self.config.environment, self.config.paths)

    def config_flags(self) -> dict[str, Any]:
        return {"environment": self.flags.get("env"), **self.settings}

    def choose(self, **settings: Any) -> None:
        """Let options of this command decide settings (`run.workers`); None: not given."""
        self.settings.update({key.replace("__", "."): value for key, value in settings.items()})
        self.__dict__.pop("config", None)

    @cached_property
    def project_root(self) -> Path:
        """The root of the project around the working directory; NotFound where there is none."""
        from modelops_bundle.project.project import find_project

        return find_project(self.start).root

    def reporter(self, *, stream: bool = False) -> ConsoleReporter:
        """The Reporter of this call; `stream`: with --json its progress is part of the answer."""
        from modelops.cli._progress import open_reporter

        return open_reporter(self.console, self.config.progress, schema=self.schema, stream=stream)

    def event(self, event: str, **values: Any) -> None:
        """Write one line of a stream: only with --json, and only for commands that stream."""
        self.console.value({"schema": self.schema, "event": event, **to_json(values)})


class Runnable(Protocol):
    """What is needed of a command to run it: its function, and the forms of its answer."""

    path: str
    answer: type[Any]
    render: Callable[[Any, Any], Iterable[str]]
    stream: bool
    callback: Callable[..., Any] | None


def run_command(leaf: Runnable, flags: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Run the function of `leaf` and print its answer; return the exit code."""
    from modelops.config.sources import read_environ

    call = Call(leaf.path, flags, read_environ())
    if "env" in flags:
        call.check_environment()
    assert leaf.callback is not None
    answer = leaf.callback(call, **options)
    done = answer if isinstance(answer, Done) else Done(answer)
    show(call, leaf, done.answer)
    return done.exit_code


def show(call: Call, leaf: Runnable, answer: Any) -> None:
    assert isinstance(answer, leaf.answer), f"{leaf.path} answered with {type(answer).__name__}"
    console = call.console
    if console.json:
        console.value(answer_value(call, leaf, answer))
    else:
        console.print(leaf.render(answer, console.screen))


def answer_value(call: Call, leaf: Runnable, answer: Any) -> dict[str, Any]:
    value = {"schema": call.schema, **({"event": "result"} if leaf.stream else {})}
    return {**value, **to_json(answer), "warnings": list(call.console.warnings)}
