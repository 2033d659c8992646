"""What a project declares against what an environment has. Pure, but for reading metadata."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from modelops.engine.environments.installed import digest_of_source, local_folder, version_of
from modelops_contracts.errors import InvalidInput

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = [
    "OWN_DISTRIBUTIONS",
    "closure",
    "local_sources",
    "normalise",
    "python_fits",
    "unmet",
]

#: Distributions whose import packages we provide, whatever a project calls or pins them.
OWN_DISTRIBUTIONS = ("modelops", "modelops-contracts", "modelops-calabaria", "modelops-bundle")

#: Libraries that turn the author's numbers into tables: they count without being declared.
_ALWAYS = ("numpy", "polars", "scipy", "pandas")


def normalise(name: str) -> str:
    """The spelling under which distribution names are compared."""
    import re

    return re.sub(r"[-_.]+", "-", name).lower()


def unmet(requirements: Iterable[str]) -> list[str]:
    """Those requirements that this interpreter's environment does not fulfil, as written.

    Our own distributions are always fulfilled: their packages are the running ones.
    Raises InvalidInput for text that is no requirement.
    """
    return [text for text in requirements if not _is_met(_parse(text))]


def python_fits(specifier: str, version: str | None = None) -> bool:
    """Whether a Python version lies within ``requires-python``; an empty one fits all."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier as error:
        raise InvalidInput(f"requires-python {specifier!r} is not valid: {error}") from error
    return allowed.contains(version or platform.python_version(), prereleases=True)


def closure(requirements: Iterable[str]) -> dict[str, str]:
    """Installed versions (``version_of``) of all that the requirements need, directly or not."""
    found: dict[str, str] = {}
    waiting = [(_parse(text), "") for text in (*requirements, *_ALWAYS)]
    while waiting:
        requirement, extra = waiting.pop()
        name = normalise(requirement.name)
        if name in found or name in OWN_DISTRIBUTIONS or not _applies(requirement, extra):
            continue
        distribution = _installed(name)
        if distribution is None:
            continue
        found[name] = version_of(distribution)
        extras = ("", *sorted(requirement.extras))
        needed = [_parse(text) for text in distribution.requires or ()]
        waiting.extend((one, wanted) for one in needed for wanted in extras)
    return found


def local_sources(requirements: Iterable[str]) -> dict[str, str]:
    """Digests of the folders on this machine that requirements name, by distribution."""
    named = [(normalise(one.name), one.url) for one in map(_parse, requirements)]
    folders = [(name, local_folder(url)) for name, url in named if url is not None]
    return {name: digest_of_source(one) for name, one in folders if one is not None}


def _parse(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise InvalidInput(
            f"dependency {text!r} of pyproject.toml is not valid: {error}",
            hint="correct [project] dependencies in pyproject.toml",
        ) from error


def _is_met(requirement: Requirement) -> bool:
    name = normalise(requirement.name)
    if name in OWN_DISTRIBUTIONS or not _applies(requirement, ""):
        return True
    distribution = _installed(name)
    if distribution is None:
        return False
    if requirement.url is not None:
        return requirement.url in (distribution.read_text("direct_url.json") or "")
    if not requirement.specifier.contains(distribution.version, prereleases=True):
        return False
    return _extras_are_met(requirement, distribution)


def _extras_are_met(
    requirement: Requirement, distribution: importlib.metadata.Distribution
) -> bool:
    needed = [_parse(text) for text in distribution.requires or ()]
    return all(
        _installed(normalise(one.name)) is not None
        for extra in requirement.extras
        for one in needed
        if _applies(one, extra) and not _applies(one, "")
    )


def _applies(requirement: Requirement, extra: str) -> bool:
    environment: Mapping[str, str] = {"extra": extra}
    return requirement.marker is None or requirement.marker.evaluate(dict(environment))


def _installed(name: str) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
