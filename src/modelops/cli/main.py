"""Where the three consoles start. Every error of a command ends here, as text and as exit code."""

from __future__ import annotations

import sys

STDOUT, STDERR = 1, 2


def mops() -> int:
    """Run studies and calibrations, and look at what came out."""
    return start("mops")


def cb() -> int:
    """Do the science: sampling designs, calibrations, diagnostics."""
    return start("cb")


def modelops_bundle() -> int:
    """Keep and ship a project: the same commands as `mops bundle`."""
    return start("modelops-bundle")


def start(console: str) -> int:
    """Run the command line of this process with `console` and return its exit code."""
    arguments = sys.argv[1:]
    try:
        end_as_interrupted()
        code = run(console, arguments)
        flush()
    except BrokenPipeError:
        return leave_quietly()
    except KeyboardInterrupt:
        from modelops.cli._errors import report_interrupt

        return report_interrupt(arguments)
    except ImportError as error:
        return report_damage(error, console, arguments)
    except Exception as error:  # noqa: BLE001 - the top: all below raise, this reports
        from modelops.cli._errors import report

        return report(error, console, arguments)
    return code


def end_as_interrupted() -> None:
    """SIGTERM and a terminal that hangs up end a command as Ctrl-C does: what it has begun is
    undone and what it has started ends. One that the caller ignores, as nohup does, stays so."""
    import os
    import signal

    terminals = [number for number in (STDOUT, STDERR) if os.isatty(number)]

    def interrupt(number: int, frame: object) -> None:
        if number == signal.SIGHUP:
            from modelops.cli._console import lead_nowhere

            lead_nowhere(terminals)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)


def run(console: str, arguments: list[str]) -> int:
    from click.exceptions import Exit

    from modelops.cli._click import root_group

    group = root_group(console)
    try:
        group.complete(console)
        with group.make_context(console, list(arguments)) as ctx:
            code: int = group.invoke(ctx)
    except Exit as ending:
        return ending.exit_code
    return code


def report_damage(error: ImportError, console: str, arguments: list[str]) -> int:
    """Packages of an older suite over ours break any import, also that of our error messages."""
    import json

    from modelops.cli._damage import find_damage

    damage = find_damage()
    if damage is None:
        from modelops.cli._errors import report

        return report(error, console, arguments)
    message = f"this installation is damaged: {damage.detail}"
    if "--json" in arguments:
        told = {"code": "damaged", "message": message, "hint": damage.repair, "exit_code": 1}
        rest = {"retryable": False, "details": [], "nearest": [], "traceback": None}
        print(json.dumps({"schema": "mops.error/1", "error": told | rest}))
    else:
        sys.stderr.write(f"error: {message}\nhint: {damage.repair}\n")
    return 1


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def leave_quietly() -> int:
    """The reader of stdout went away, as `head` does: that is no failure."""
    from modelops.cli._console import lead_nowhere

    # What is still in the buffer must not be written again when the interpreter shuts down.
    lead_nowhere([STDOUT])
    return 0
