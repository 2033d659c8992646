"""Settings: strongest source wins, mistakes name the nearest key, origins are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops.config.model import known_settings, setting_value
from modelops.config.sources import (
    find_project_root,
    load_config,
    set_user_value,
    unset_user_value,
    variable_name,
)
from modelops_contracts.errors import InvalidInput


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".modelops-bundle").mkdir(parents=True)
    return folder


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"MODELOPS_HOME": str(home), **more}


def test_an_empty_home_gives_the_defaults(home: Path, tmp_path: Path) -> None:
    config = load_config({}, environ(home), tmp_path)
    assert config.environment == "local"
    assert config.run.executor == "process_pool"
    assert config.run.workers is None
    assert config.jobs.max_failed == "0"
    assert config.paths.artifacts == home / "artifacts"
    assert config.project_root is None
    assert {origin.kind for origin in config.origins.values()} == {"default"}
    assert list(home.iterdir()) == []


def test_every_setting_has_doc_reader_and_a_default_it_reads_itself() -> None:
    for key, item in known_settings().items():
        assert item.metadata["doc"], key
        assert item.metadata["read"](item.default) == item.default, key


def test_sources_from_weak_to_strong(home: Path, project: Path) -> None:
    seen = []

    def look(flags: dict[str, object], **more: str) -> None:
        config = load_config(flags, environ(home, **more), project)
        seen.append((config.run.workers, config.origins["run.workers"].kind))

    look({})
    (home / "config.yaml").write_text("schema: mops.config/1\nrun:\n  workers: 1\n")
    look({})
    (project / "pyproject.toml").write_text("[tool.modelops.run]\nworkers = 2\n")
    look({})
    look({}, MODELOPS_RUN_WORKERS="3")
    look({"run.workers": 4}, MODELOPS_RUN_WORKERS="3")
    assert seen == [(None, "default"), (1, "user"), (2, "project"), (3, "variable"), (4, "flag")]


def test_the_environment_is_resolved_in_the_documented_order(home: Path, project: Path) -> None:
    def name(flags: dict[str, object] | None = None, **more: str) -> str:
        return load_config(flags, environ(home, **more), project).environment

    assert name() == "local"
    (home / "bundle-env").mkdir()
    (home / "bundle-env" / "dev.yaml").write_text("{}")
    assert name() == "dev"
    (home / "config.yaml").write_text("environment: chosen\n")
    assert name() == "chosen"
    (project / ".modelops-bundle" / "env").write_text("off\n")
    assert name() == "off"
    assert name(MODELOPS_ENV="variable") == "variable"
    assert name({"environment": "flag"}, MODELOPS_ENV="variable") == "flag"


def test_origins_say_file_and_line(home: Path, tmp_path: Path) -> None:
    (home / "config.yaml").write_text("# mine\nrun:\n  timeout: 5\n")
    config = load_config({}, environ(home), tmp_path)
    assert config.run.timeout == 5.0
    assert config.origins["run.timeout"].where == f"{home / 'config.yaml'}:3"


def test_all_mistakes_of_all_sources_at_once_with_the_nearest_key(
    home: Path, project: Path
) -> None:
    (home / "config.yaml").write_text("run:\n  wokers: 2\n  executor: proces_pool\n")
    (project / "pyproject.toml").write_text("[tool.modelops.jobs]\nmax_faild = 1\n")
    with pytest.raises(InvalidInput) as caught:
        load_config({}, environ(home, MODELOPS_RUN_TIMEOUT="-1", MODELOPS_RUN_WORKRS="2"), project)
    text = "\n".join(str(detail) for detail in caught.value.details)
    assert "config.yaml:2: unknown setting run.wokers; did you mean run.workers" in text
    assert "config.yaml:3: run.executor: 'proces_pool' is none of" in text
    assert "did you mean process_pool" in text
    assert "did you mean jobs.max_failed" in text
    assert "MODELOPS_RUN_TIMEOUT: run.timeout: '-1'" in text
    assert "MODELOPS_RUN_WORKRS: no setting has this variable; did you mean" in text


def test_variables_of_other_parts_are_left_alone(home: Path, tmp_path: Path) -> None:
    load_config({}, environ(home, MODELOPS_TEST_REQUIRE="git", MODELOPS_STRICT="1"), tmp_path)


def test_keys_of_other_readers_in_the_project_are_left_alone(home: Path, project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.modelops]\nimport_roots = ['lib']\n")
    load_config({}, environ(home), project)


def test_a_file_of_the_older_suite_is_named_not_read(home: Path, tmp_path: Path) -> None:
    (home / "config.yaml").write_text("pulumi:\n  backend: x\n")
    config = load_config({}, environ(home), tmp_path)
    assert "not read" in config.notes[0]


@pytest.mark.parametrize("text", ["{", "- 1\n", "schema: mops.config/9\n"])
def test_a_broken_user_file_is_an_error_that_names_it(
    home: Path, tmp_path: Path, text: str
) -> None:
    (home / "config.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=r"config\.yaml"):
        load_config({}, environ(home), tmp_path)


def test_setting_a_value_keeps_comments_and_the_rest(home: Path, tmp_path: Path) -> None:
    paths = load_config({}, environ(home), tmp_path).paths
    (home / "config.yaml").write_text("# mine\nprogress: plain  # quiet please\n")
    assert set_user_value(paths, "run.workers", "3") == 3
    text = (home / "config.yaml").read_text()
    assert "# mine" in text
    assert "# quiet please" in text
    config = load_config({}, environ(home), tmp_path)
    assert setting_value(config, "run.workers") == 3
    assert unset_user_value(paths, "run.workers") is True
    assert unset_user_value(paths, "run.workers") is False
    assert load_config({}, environ(home), tmp_path).run.workers is None


def test_setting_an_unknown_key_or_value_writes_nothing(home: Path, tmp_path: Path) -> None:
    paths = load_config({}, environ(home), tmp_path).paths
    with pytest.raises(InvalidInput, match=r"run\.workers"):
        set_user_value(paths, "run.worker", "3")
    with pytest.raises(InvalidInput, match="no whole number"):
        set_user_value(paths, "run.workers", "many")
    assert not (home / "config.yaml").exists()


def test_variable_names() -> None:
    assert variable_name("environment") == "MODELOPS_ENV"
    assert variable_name("progress") == "MODELOPS_PROGRESS"
    assert variable_name("run.max_failed") == "MODELOPS_RUN_MAX_FAILED"


def test_the_project_is_found_from_below(project: Path) -> None:
    below = project / "a" / "b"
    below.mkdir(parents=True)
    assert find_project_root(below) == project
    assert find_project_root(project.parent) is None


def test_cached_bundles_may_be_elsewhere(tmp_path: Path) -> None:
    variables = {"MODELOPS_HOME": str(tmp_path), "MODELOPS_BUNDLES_CACHE_DIR": "~/x"}
    config = load_config({}, variables, tmp_path)
    assert config.paths.bundle_cache == Path("~/x").expanduser()
    del variables["MODELOPS_BUNDLES_CACHE_DIR"]
    assert load_config({}, variables, tmp_path).paths.bundle_cache == tmp_path / "cache/bundles"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cache_dir: /srv/cache", "/srv/cache"),
        ("cache_dir: '/srv/my cache'  # big", "/srv/my cache"),
        ('cache_dir: "cache"', "{root}/cache"), ("cache_dir: null", None), ("cache_dir:", None),
        ("# cache_dir: /x", None), ("other: 1", None),
    ],
)  # fmt: skip
def test_a_project_may_say_where_its_bundles_are_cached(
    tmp_path: Path, line: str, expected: str | None
) -> None:
    folder = tmp_path / ".modelops-bundle"
    folder.mkdir()
    (folder / "config.yaml").write_text(f"repository: x\n{line}\ndefault_tag: latest\n")
    variables = {"MODELOPS_HOME": str(tmp_path / "home")}
    found = load_config({}, variables, tmp_path).paths.bundle_cache
    wanted = expected.format(root=tmp_path) if expected else tmp_path / "home/cache/bundles"
    assert found == Path(wanted)
    variables["MODELOPS_BUNDLES_CACHE_DIR"] = "/worker"
    assert load_config({}, variables, tmp_path).paths.bundle_cache == Path("/worker")
