"""The environment in force, for every combination of places that may name one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from modelops.config.sources import load_config

#: Strongest first.
PLACES = ("flag", "variable", "project", "user", "older")


@settings(max_examples=64, deadline=None)
@given(st.sets(st.sampled_from(PLACES)))
def test_the_strongest_place_that_speaks_wins(speaking: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, project = Path(folder) / "home", Path(folder) / "project"
        (home / "bundle-env").mkdir(parents=True)
        (project / ".modelops-bundle").mkdir(parents=True)
        environ = {"MODELOPS_HOME": str(home)}
        flags: dict[str, object] = {}
        if "flag" in speaking:
            flags["environment"] = "flag"
        if "variable" in speaking:
            environ["MODELOPS_ENV"] = "variable"
        if "project" in speaking:
            (project / ".modelops-bundle" / "env").write_text("project\n")
        if "user" in speaking:
            (home / "config.yaml").write_text("environment: user\n")
        if "older" in speaking:
            (home / "bundle-env" / "dev.yaml").write_text("{}")
        name = load_config(flags, environ, project).environment
        first = next((place for place in PLACES if place in speaking), None)
        assert name == {"older": "dev", None: "local"}.get(first, first)
