"""Groups that import a command only when it runs, and the options every command has.

This is all that `--help` and a typing mistake need, so nothing heavier than click is imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, TypeVar

import click

from modelops.cli._tree import CONSOLES, TREE, children

FLAGS = "modelops.flags"
CONTEXT = {"help_option_names": ["-h", "--help"]}
F = TypeVar("F", bound=Callable[..., Any])


class UnknownCommand(click.UsageError):
    """A word that is no command: the nearest ones, and where it went if it moved."""

    def __init__(
        self, message: str, *, nearest: Sequence[str], moved: str | None, ctx: click.Context
    ) -> None:
        super().__init__(message, ctx=ctx)
        self.nearest = tuple(nearest)
        self.moved = moved


class CommonOption(click.Option):
    """An option of every command; help lists these under a heading of their own."""


def remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep a common option where the command finds it, whichever side of its name it stood on."""
    if value not in (None, False, 0) and param.name is not None:
        ctx.find_root().meta.setdefault(FLAGS, {})[param.name] = value


def complete_environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from modelops.cli._complete import environments

    return environments(ctx, param, incomplete)


def common_options(*, env_short: bool = True) -> list[click.Option]:
    env = ("--env", "-e") if env_short else ("--env",)

    def option(*names: str, **attributes: Any) -> click.Option:
        return CommonOption(names, expose_value=False, callback=remember, **attributes)

    return [
        option("--json", is_flag=True, help="Answer with JSON on stdout."),
        option(
            *env,
            metavar="NAME",
            help="Environment to work in.",
            shell_complete=complete_environments,
        ),
        option("--project", "--project-root", metavar="DIR", help="Project folder."),
        option("-q", "--quiet", is_flag=True, help="Answers and errors only."),
        option("-v", "--verbose", count=True, help="Say more; twice: tracebacks too."),
        option("--no-color", is_flag=True, help="No colour."),
        option("-y", "--yes", is_flag=True, help="Answer yes to every question."),
    ]


class _HelpSections(click.Command):
    """Formats help: own options first, then those that every command has."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        extra.setdefault("terminal_width", help_width())
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                (common if is_common(param) else own).append(record)
        if own:
            with formatter.section("Options"):
                formatter.write_dl(own)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        if common:
            with formatter.section("Options everywhere"):
                formatter.write_dl(common)


def is_common(param: click.Parameter) -> bool:
    return isinstance(param, CommonOption) or "--help" in param.opts


def help_width() -> int:
    """Columns of the terminal, 100 at most; 100 too where there is none."""
    try:
        return max(50, min(os.get_terminal_size(1).columns or 80, 100))
    except OSError:
        return 100


class Leaf(_HelpSections):
    """A command. Its function returns a value; text and JSON are both made from that value."""

    def __init__(
        self,
        *args: Any,
        answer: type[Any],
        render: Callable[[Any, Any], Iterable[str]],
        env_short: bool = True,
        stream: bool = False,
        **attributes: Any,
    ) -> None:
        attributes["context_settings"] = CONTEXT
        super().__init__(*args, **attributes)
        self.answer = answer
        self.render = render
        self.stream = stream
        self.path = ""
        for param in self.params:
            if isinstance(param.type, click.IntRange | click.FloatRange) and param.metavar is None:
                param.metavar = "N"
        self.params.extend(common_options(env_short=env_short))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "-h" in args[:-1]:
            from modelops.cli._moved import moved_option

            new = moved_option(self.path, args)
            if new is not None:
                message = f"{ctx.command_path}: -h is help now"
                raise UnknownCommand(message, nearest=(), moved=new, ctx=ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> int:
        from modelops.cli._call import run_command

        try:
            return run_command(self, ctx.find_root().meta.get(FLAGS, {}), ctx.params)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # found by the command itself: help is in the same place
            raise


class LazyGroup(_HelpSections, click.Group):
    """A group whose commands are the rows of the table below its path."""

    def __init__(self, path: str, name: str, *, root: bool = False) -> None:
        options = common_options()
        if root:
            options.insert(0, version_option())
        super().__init__(
            name=name,
            help=TREE[path].help,
            params=list(options),
            context_settings=CONTEXT,
            no_args_is_help=True,
        )
        self.path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, entry in children(self.path).items() if not entry.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = f"{self.path} {cmd_name}"
        entry = TREE.get(path)
        if entry is None or " " in cmd_name:
            return None
        if entry.target is None:
            return LazyGroup(path, cmd_name)
        return load_leaf(path)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        is_word = not ctx.resilient_parsing and not args[0].startswith("-")
        if is_word and self.get_entry(args[0]) is None:
            raise self.unknown(ctx, args)
        return super().resolve_command(ctx, args)

    def get_entry(self, name: str) -> Any:
        return None if " " in name else TREE.get(f"{self.path} {name}")

    def unknown(self, ctx: click.Context, args: list[str]) -> UnknownCommand:
        from modelops.cli._moved import moved_to
        from modelops_contracts.errors import nearest

        return UnknownCommand(
            f"{ctx.command_path} has no command {args[0]!r}",
            nearest=nearest(args[0], children(self.path)),
            moved=moved_to([*self.path.split(), *args]),
            ctx=ctx,
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, entry.help) for name, entry in children(self.path).items() if not entry.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete names from the table, without importing the commands."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.help)
            for name, entry in children(self.path).items()
            if name.startswith(incomplete) and not entry.hidden
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def complete(self, console: str) -> None:
        """Answer a shell that asks for completions, then end the process; else do nothing."""
        self._main_shell_completion({}, console)


def load_leaf(path: str) -> Leaf:
    """Import the command of a row of the table."""
    target = TREE[path].target
    assert target is not None, f"{path} is a group"
    module, _, name = target.partition(":")
    leaf = getattr(import_module(module), name)
    assert isinstance(leaf, Leaf), f"{target} is no command"
    leaf.path = path
    leaf.name = path.rpartition(" ")[2]
    return leaf


def root_group(console: str) -> LazyGroup:
    return LazyGroup(CONSOLES[console], console, root=True)


def version_option() -> click.Option:
    def show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            from modelops.provenance import version_line

            sys.stdout.write(version_line(str(ctx.info_name)) + "\n")
            ctx.exit(0)

    return click.Option(
        ("--version",),
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit.",
    )


def command(
    *,
    answer: type[Any],
    render: Callable[[Any, Any], Iterable[str]],
    env_short: bool = True,
    stream: bool = False,
) -> Callable[[F], Leaf]:
    """Make a command of a function `(call, **options) -> answer`.

    The function gets a `Call` (console, common options, configuration) and returns an `answer`, a
    frozen dataclass that is the JSON type of the command, or `Done(answer, exit_code)`.
    `render(answer, screen)` yields the lines of its text form. With `stream` the JSON form is one
    event per line, and the answer is the last one (`"event": "result"`).
    """

    def wrap(function: F) -> Leaf:
        made = click.command(
            cls=Leaf, answer=answer, render=render, env_short=env_short, stream=stream
        )
        leaf: Leaf = made(function)
        return leaf

    return wrap
