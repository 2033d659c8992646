"""The table of all commands: path -> (module:object, one line of help, hidden).

Help of the consoles and their groups is made from this table alone, so that asking for help, a
typing mistake, or a completion imports no command. A command of the group `mops bundle` is also
one of the console `modelops-bundle`; its path here is the one under `mops`.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is, and what help says about it. A group has no target."""

    target: str | None
    help: str
    hidden: bool = False


# The first word of a path by the name of the console that is started.
CONSOLES: dict[str, str] = {"mops": "mops", "cb": "cb", "modelops-bundle": "mops bundle"}

TREE: dict[str, Entry] = {
    "mops": Entry(None, "Run studies and calibrations, and look at what came out."),
    "mops init": Entry(
        "modelops.cli.mops.init:init",
        "Start a project from a tested example. No file of yours is overwritten.",
    ),
    "mops run": Entry(
        "modelops.cli.mops.run:run", "Run a study or a calibration here and follow it to its end."
    ),
    "mops bundle": Entry(None, "Say what belongs to the project, and pack it for others."),
    "mops bundle init": Entry(
        "modelops.cli.bundle.init:init",
        "Make a folder a project. All or nothing; none of your files is changed.",
    ),
    "mops bundle add": Entry(
        "modelops.cli.bundle.add:add",
        "Track files, so that they are part of the bundle. All of them, or none.",
    ),
    "mops bundle remove": Entry(
        "modelops.cli.bundle.remove:remove",
        "Stop tracking files; they stay where they are unless --rm is given.",
    ),
    "mops bundle register-model": Entry(
        "modelops.cli.bundle.register_model:register_model",
        "Register the models of a file. Your code is read, not run.",
    ),
    "mops bundle register-target": Entry(
        "modelops.cli.bundle.register_target:register_target",
        "Register the targets of a file. Your code is read, not run.",
    ),
    "mops bundle status": Entry(
        "modelops.cli.bundle.status:status",
        "Say whether the registry fits the code, and what changed since the last push.",
    ),
    "mops bundle list": Entry(
        "modelops.cli.bundle.list:list_",
        "List the models, target sets and targets of this project.",
    ),
    "mops bundle push": Entry(
        "modelops.cli.bundle.push:push",
        "Pack what changed and move the tag; the bundle describes its own bytes.",
    ),
    "mops bundle pull": Entry(
        "modelops.cli.bundle.pull:pull",
        "Bring the files of a tag into this project; your own changes stay.",
    ),
    "mops bundle clone": Entry("modelops.cli.bundle.clone:clone", "Make a project of a bundle."),
    "mops bundle diff": Entry(
        "modelops.cli.bundle.diff:diff",
        "Compare the tracked files here with a pushed bundle; nothing is written.",
    ),
    "mops bundle manifest": Entry(
        "modelops.cli.bundle.manifest:manifest",
        "List the tags of this project's bundles, or the files of one bundle.",
    ),
    "mops bundle log": Entry(
        "modelops.cli.bundle.log:log",
        "List the pushes that led to a bundle: when, by whom, from which commit.",
    ),
    "mops bundle ensure": Entry(
        "modelops.cli.bundle.ensure:ensure",
        "Put a bundle's files into a directory that is no project, and keep it up to date.",
    ),
    "mops bundle env": Entry(
        "modelops.cli.bundle.env:env",
        "Show where bundles of this project are kept, or pin an environment to it.",
    ),
    "mops bundle dev": Entry(None, "Older names of the command `env`.", hidden=True),
    "mops bundle dev env": Entry(
        "modelops.cli.bundle.dev.env:env",
        "Show where bundles of this project are kept (same as `env`).",
    ),
    "mops bundle dev switch": Entry(
        "modelops.cli.bundle.dev.switch:switch",
        "Pin an environment to this project (same as `env NAME`).",
    ),
    "mops bundle verify": Entry(
        "modelops.cli.bundle.verify:verify",
        "Check that everything a bundle is made of is where it is kept (exit code 1 if not).",
    ),
    "mops bundle cache": Entry(None, "Look after the files of bundles that are kept here."),
    "mops bundle cache info": Entry(
        "modelops.cli.bundle.cache.info:info", "Say what the cache of bundles holds."
    ),
    "mops bundle cache gc": Entry(
        "modelops.cli.bundle.cache.gc:gc",
        "Remove bundles from the cache that were not used for longest; they can be fetched again.",
    ),
    "mops bundle cache clear": Entry(
        "modelops.cli.bundle.cache.clear:clear",
        "Remove everything from the cache of bundles that is not in use; it can be fetched again.",
    ),
    "mops bundle unregister": Entry(
        "modelops.cli.bundle.unregister:unregister",
        "Take models or targets out of the registry; their files stay tracked.",
    ),
    "mops bundle refresh": Entry(
        "modelops.cli.bundle.refresh:refresh",
        "Make the registry follow the code: changes, renames, what is gone.",
    ),
    "mops bundle target-set": Entry(None, "Name sets of targets, with their weights."),
    "mops bundle target-set list": Entry(
        "modelops.cli.bundle.target_set.list:list_", "List the named sets of targets."
    ),
    "mops bundle target-set set": Entry(
        "modelops.cli.bundle.target_set.set:set_",
        "Make or replace a named set of targets; without --target it holds all of them.",
    ),
    "mops bundle target-set delete": Entry(
        "modelops.cli.bundle.target_set.delete:delete",
        "Delete a named set of targets; its targets stay registered.",
    ),
    "mops jobs": Entry(None, "Submit jobs, and look after them."),
    "mops jobs submit": Entry(
        "modelops.cli.mops.jobs.submit:submit",
        "Submit a study or a calibration as a job that runs in the background.",
    ),
    "mops jobs list": Entry(
        "modelops.cli.mops.jobs.list:list_", "List the jobs of this project, newest first."
    ),
    "mops jobs status": Entry("modelops.cli.mops.jobs.status:status", "Say how jobs are doing."),
    "mops jobs watch": Entry(
        "modelops.cli.mops.jobs.watch:watch",
        "Follow a job to its end. Ctrl-C stops looking; the job goes on.",
    ),
    "mops jobs wait": Entry(
        "modelops.cli.mops.jobs.wait:wait",
        "Wait for a job to end, or to run. The exit code is 0 when it succeeded, or runs.",
    ),
    "mops jobs logs": Entry(
        "modelops.cli.mops.jobs.logs:logs",
        "Print what a job's driver wrote down, what the model printed, or what failed.",
    ),
    "mops jobs cancel": Entry(
        "modelops.cli.mops.jobs.cancel:cancel", "Stop jobs; what they have finished stays."
    ),
    "mops jobs resume": Entry(
        "modelops.cli.mops.jobs.resume:resume",
        "Go on with a job that was cancelled, failed or lost; only what is missing runs.",
    ),
    "mops jobs explain": Entry(
        "modelops.cli.mops.jobs.explain:explain",
        "Say what a job reused and what it computed, and why.",
    ),
    "mops jobs delete": Entry(
        "modelops.cli.mops.jobs.delete:delete",
        "Delete jobs that have ended. What they simulated stays in the store.",
    ),
    "mops results": Entry(None, "Look at what came out, and look after it."),
    "mops results list": Entry(
        "modelops.cli.mops.results.list:list_",
        "List what the jobs of this project have produced, newest first.",
    ),
    "mops results show": Entry("modelops.cli.mops.results.show:show", "Show what a job has found."),
    "mops results export": Entry(
        "modelops.cli.mops.results.export:export",
        "Write the tables of a job: parameters, each output, targets, failures.",
    ),
    "mops results compact": Entry(
        "modelops.cli.mops.results.compact:compact",
        "Merge the small files of the store into few; nothing that is stored changes.",
    ),
    "mops results verify": Entry(
        "modelops.cli.mops.results.verify:verify",
        "Compare every stored simulation with its checksum and row counts. A fault is exit code 1.",
    ),
    "mops results gc": Entry(
        "modelops.cli.mops.results.gc:gc",
        "Remove simulations of code, and scores of targets, that no job and no bundle refers to.",
    ),
    "mops config": Entry(None, "Look at the settings in force, and change them."),
    "mops config show": Entry(
        "modelops.cli.mops.config.show:show",
        "Show the settings in force, and where they come from.",
    ),
    "mops config set": Entry(
        "modelops.cli.mops.config.set:set_",
        "Write a setting into your own file. Nothing is written when it cannot be read back.",
    ),
    "mops config unset": Entry(
        "modelops.cli.mops.config.unset:unset",
        "Take a setting out of your own file; what decided before it decides again.",
    ),
    "mops config path": Entry(
        "modelops.cli.mops.config.path:path",
        "List the files that settings are read from, strongest first.",
    ),
    "mops env": Entry(None, "Look at the environments jobs can run in, and choose one."),
    "mops env list": Entry(
        "modelops.cli.mops.env.list:list_",
        "List the environments that are known here; the current one is marked.",
    ),
    "mops env show": Entry(
        "modelops.cli.mops.env.show:show",
        "Show an environment as it is used: where bundles and results are kept.",
    ),
    "mops env use": Entry("modelops.cli.mops.env.use:use", "Make an environment the current one."),
    "mops version": Entry(
        "modelops.cli.mops.version:version", "Say which version this is, and where it runs."
    ),
    "mops doctor": Entry(
        "modelops.cli.mops.doctor:doctor",
        "Check the installation, the configuration and this machine.",
    ),
    "mops completion": Entry(
        "modelops.cli.mops.completion:completion", "Print the completion script of a shell."
    ),
    "cb": Entry(None, "Do the science: sampling designs, calibrations, diagnostics."),
    "cb sampling": Entry(None, "Write studies: which parameter sets to simulate."),
    "cb sampling sobol": Entry(
        "modelops.cli.cb.sampling.sobol:sobol",
        "Write a study whose parameter sets fill the space evenly (Sobol sequence).",
    ),
    "cb sampling halton": Entry(
        "modelops.cli.cb.sampling.halton:halton",
        "Write a study whose parameter sets fill the space evenly (Halton sequence).",
    ),
    "cb sampling lhs": Entry(
        "modelops.cli.cb.sampling.lhs:lhs",
        "Write a study with one parameter set in each slice of each range (Latin hypercube).",
    ),
    "cb sampling random": Entry(
        "modelops.cli.cb.sampling.random:random",
        "Write a study of independent random parameter sets.",
    ),
    "cb sampling grid": Entry(
        "modelops.cli.cb.sampling.grid:grid",
        "Write a study of every combination of evenly spaced values.",
    ),
    "cb sampling file": Entry(
        "modelops.cli.cb.sampling.file:file",
        "Write a study of the parameter sets in a table (csv, parquet or json).",
    ),
    "cb calibration": Entry(None, "Write calibrations: which parameters to fit, and to what."),
    "cb calibration optuna": Entry(
        "modelops.cli.cb.calibration.optuna:optuna",
        "Write a calibration: which parameters to fit to which targets, and how to search.",
    ),
    "cb diagnostics": Entry(None, "Look at how far a calibration may be trusted."),
    "cb diagnostics report": Entry(
        "modelops.cli.cb.diagnostics.report:report",
        "Write a report of a calibration, or of any table of losses and parameters.",
    ),
    "cb models": Entry(
        "modelops.cli.cb.models:models", "List the models that are registered here."
    ),
    "cb targets": Entry(
        "modelops.cli.cb.targets:targets", "List the targets that are registered here."
    ),
    "cb version": Entry(
        "modelops.cli.cb.version:version", "Say which version this is, and where it runs."
    ),
}


def children(path: str) -> dict[str, Entry]:
    """Return the commands and groups directly below `path`, by their last word, in table order."""
    prefix = f"{path} "
    return {
        key[len(prefix) :]: entry
        for key, entry in TREE.items()
        if key.startswith(prefix) and " " not in key[len(prefix) :]
    }


def is_group(path: str) -> bool:
    entry = TREE.get(path)
    return entry is not None and entry.target is None


def command_line(path: str, console: str) -> str:
    """How `path` is typed with `console`: `mops bundle push` is `modelops-bundle push` too."""
    root = CONSOLES[console]
    return console + path.removeprefix(root) if path.startswith(root) else path
