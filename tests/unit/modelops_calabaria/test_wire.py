from __future__ import annotations

import pytest

from support.model_projects import MODEL, line_project, run_inside, write_project

SIMULATE = """
from modelops_calabaria.modelops_wire import wire_function
from modelops_calabaria.tables import frame_from_ipc
tables = wire_function({entrypoint!r}, {params!r}, {seed}, outputs={outputs!r}, config={config!r})
metadata = json.loads(tables.pop("metadata"))
answer = {{
    "tables": {{n: frame_from_ipc(d).to_dict(as_series=False) for n, d in tables.items()}},
    "metadata": metadata,
}}
"""


def simulate(root, entrypoint, params, seed=3, outputs=None, config=None):
    code = SIMULATE.format(
        entrypoint=entrypoint, params=params, seed=seed, outputs=outputs, config=config
    )
    return run_inside(root, code)


def register(root, **models):
    lines = ["version: '1.0'", "models:"]
    for name, entrypoint in models.items():
        module, _, cls = entrypoint.partition(":")
        path = f"{module.replace('.', '/')}.py"
        lines += [
            f"  {name}: {{entrypoint: '{entrypoint}', path: {path}, class_name: {cls},",
            "    scenarios: [], parameters: [], outputs: [], data: [], data_digests: {},",
            "    code: [], code_digests: {}, model_digest: null}",
        ]
    return write_project(root, {".modelops-bundle/registry.yaml": "\n".join(lines) + "\n"})


def test_the_scenario_of_the_entry_point_is_applied(tmp_path):
    project = line_project(tmp_path)
    baseline = simulate(project, "models.line.Line/baseline", {"slope": 2, "start": 1})
    assert baseline["tables"]["path"] == {"day": [0, 1, 2], "y": [1.0, 3.0, 5.0], "seed": [3] * 3}
    long = simulate(project, "models.line.Line/long", {"slope": 2, "start": 1})
    assert long["tables"]["path"]["y"] == [5.0, 7.0, 9.0, 11.0]
    assert long["metadata"]["entrypoint"] == "models.line.Line/long"
    provenance = long["metadata"]["provenance"]
    assert provenance["params_M"] == {"slope": 2, "start": 1}
    assert provenance["params_effective"] == {"slope": 2.0, "start": 5}
    assert provenance["config_effective"] == {"days": 4}
    assert provenance["scenario_stack"] == provenance["applied_scenarios"] == ["long"]
    assert provenance["abi"] == "calabaria.wire.v1"
    assert provenance["class_path"] == "models.line:Line"
    assert long["metadata"]["model_digest"].startswith("sha256:")


def test_outputs_and_configuration_are_honoured(tmp_path):
    project = line_project(tmp_path)
    got = simulate(
        project, "models.line.Line/baseline", {"slope": 2}, outputs=["end"], config={"days": 7}
    )
    assert got["tables"] == {"end": {"end": [15.0], "seed": [3]}}


@pytest.mark.parametrize("folder", ["", "src", "src/pkg"])
def test_models_lie_in_the_root_or_under_src(tmp_path, folder):
    project = line_project(tmp_path, folder=folder)
    module = {"": "line", "src": "line", "src/pkg": "pkg.line"}[folder]
    got = simulate(project, f"{module}.Line/baseline", {"slope": 1})
    assert got["tables"]["end"]["end"] == [4.0]


def test_src_with_an_init_file_is_a_package(tmp_path):
    project = line_project(tmp_path, folder="src")
    write_project(project, {"src/__init__.py": ""})
    got = simulate(project, "src.line.Line/baseline", {"slope": 1})
    assert got["tables"]["end"]["end"] == [4.0]


@pytest.mark.parametrize(
    ("entrypoint", "params", "extra", "kind", "fragment"),
    [
        ("models.line.Line/lnog", {"slope": 1}, {}, "ValueError", "Unknown scenario: lnog"),
        ("models.line.Line/long", {"slop": 1}, {}, "ValueError", "Unknown parameters: slop"),
        ("models.line.Line/long", {"slope": 9}, {}, "ValueError", "outside bounds"),
        (
            "models.line.Line/long", {"slope": 1}, {"outputs": ["pth"]},
            "ValueError", "Unknown outputs: pth",
        ),
        (
            "models.line.Line/long", {"slope": 1}, {"config": {"dyas": 1}},
            "ValueError", "Unknown configurations: dyas",
        ),
        ("models.line.Lien/long", {"slope": 1}, {}, "ImportError", "Cannot import 'Lien'"),
        ("models.lien.Line/long", {"slope": 1}, {}, "ImportError", "Cannot import 'models.lien'"),
        ("models.line.pl/long", {"slope": 1}, {}, "TypeError", "is not a model"),
        ("models.line.Line", {"slope": 1}, {}, "InvalidInput", "Invalid entrypoint format"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path, entrypoint, params, extra, kind, fragment):
    got = simulate(line_project(tmp_path), entrypoint, params, **extra)
    assert kind in got["error"]
    assert fragment in got["message"]
    assert "ModelOpsError" in got["error"]


def test_the_registry_decides_what_a_name_means(tmp_path):
    project = line_project(tmp_path)
    write_project(project, {"models/other.py": MODEL + "\n\nclass Second(Line):\n    pass\n"})
    register(project, line="models.line:Line", a="models.other:Line", b="models.other:Second")
    for entrypoint in ("models.line.Line", "line", "models.line"):
        got = simulate(project, f"{entrypoint}/baseline", {"slope": 1})
        assert got["metadata"]["provenance"]["class_path"] == "models.line:Line"
    got = simulate(project, "models.other/baseline", {"slope": 1})
    assert "NotFound" in got["error"]
    assert "models.other:Line, models.other:Second" in got["message"]
    got = simulate(project, "models.lien/baseline", {"slope": 1})
    assert "'models.lien' is not registered" in got["message"]
    assert "line (models.line:Line)" in got["message"]


def test_a_changed_registry_is_read_again(tmp_path):
    project = register(line_project(tmp_path), line="models.line:Line")
    code = """
import pathlib
from modelops_calabaria.modelops_wire import wire_function
from modelops_contracts.registry import BundleRegistry
reads = []
load = BundleRegistry.load.__func__
BundleRegistry.load = classmethod(lambda cls, path: (reads.append(path), load(cls, path))[1])
for _ in range(3):
    wire_function("line/baseline", {"slope": 1}, 1)
once = len(reads)
file = pathlib.Path(".modelops-bundle/registry.yaml")
file.write_text(file.read_text().replace("  line:", "  renamed:"))
wire_function("renamed/baseline", {"slope": 1}, 1)
answer = [once, len(reads)]
"""
    assert run_inside(project, code) == [1, 2]


def test_a_registry_of_the_existing_suite(tmp_path):
    project = register(line_project(tmp_path, folder="src/pkg"), line="src.pkg.line:Line")
    got = simulate(project, "pkg.line.Line/baseline", {"slope": 1})
    assert got["tables"]["end"]["end"] == [4.0]


def test_descriptions(tmp_path):
    project = line_project(tmp_path)
    code = """
from modelops_calabaria.modelops_wire import describe_function
one = describe_function("model", "models.line:Line")
answer = {
    "model": one,
    "same": [one == describe_function("model", ref)
             for ref in ("models/line.py:Line", "models.line.Line", "./models/line.py:Line")],
    "target": describe_function("target", "targets:seen"),
    "by_file": describe_function("target", "targets.py:seen"),
}
"""
    got = run_inside(project, code)
    assert got["same"] == [True, True, True]
    model = got["model"]
    assert model["class_path"] == "models.line:Line"
    assert model["outputs"] == ["end", "path"]
    assert model["config"] == {"days": "3"}
    assert model["doc"] == "A straight line."
    assert model["scenarios"]["long"]["param_patches"] == {"start": 5}
    assert model["scenarios"]["long"]["config_patches"] == {"days": "4"}
    assert model["parameters"][0]["unit"] == "1/day"
    assert model["parameters"][1]["default"] == 1
    assert got["target"] == got["by_file"]
    assert got["target"]["entrypoint"] == "targets:seen"
    assert got["target"]["model_outputs"] == ["path"]
    assert got["target"]["n_observed"] == 3
    assert got["target"]["data"] == ["data/seen.csv"]
    assert got["target"]["kind"] == "loss"


def test_a_broken_scenario_is_found_by_describing(tmp_path):
    model = MODEL.replace('param_patches={"start": 5}', 'param_patches={"strat": 5}')
    project = write_project(tmp_path, {"line.py": model})
    code = """
from modelops_calabaria.modelops_wire import describe_function
answer = describe_function("model", "line:Line")
"""
    got = run_inside(project, code)
    assert "unknown parameter: strat" in got["message"]
    assert "start" in got["hint"]


def test_a_missing_data_file_is_named(tmp_path):
    project = line_project(tmp_path)
    (project / "data/seen.csv").unlink()
    code = """
from modelops_calabaria.modelops_wire import describe_function
answer = describe_function("target", "targets:seen")
"""
    got = run_inside(project, code)
    assert "FileNotFoundError" in got["error"]
    assert "data file 'seen' not found" in got["message"]
    assert "data/seen.csv" in got["message"]


EVALUATE = """
from modelops_calabaria.modelops_wire import evaluate_function, predict_function, wire_function
from modelops_calabaria.tables import frame_from_ipc
params = {"slope": 1.5, "start": 1}
tables = wire_function("models.line.Line/baseline", params, 1)
failed = {"error_type": "ValueError", "message": "boom", "traceback": "..."}
common = {"entrypoint": "models.line.Line/baseline", "params": params}
"""


def test_evaluation(tmp_path):
    code = (
        EVALUATE
        + """
good = evaluate_function(["targets:seen"], [tables, tables], seeds=[1, 2], errors=[None, None],
    weights={"targets:seen": 2.0}, policy={"replicates": "logmeanexp"}, **common)
bad = evaluate_function(["targets:seen"], [tables, None], seeds=[1, 2], errors=[None, failed],
    **common)
answer = [good, bad]
"""
    )
    good, bad = run_inside(line_project(tmp_path), code)
    assert good["objective"] == pytest.approx(2 * 0.25 / 3)
    assert good["seeds"] == [1, 2]
    assert len(good["param_id"]) == 64
    assert bad["reason"] == "SIM_FAILED"
    assert bad["failures"][0]["error"]["message"] == "boom"


def test_misuse_of_evaluation(tmp_path):
    project = line_project(tmp_path)
    code = (
        EVALUATE
        + """
answer = evaluate_function(["targets:seen"], [tables], seeds=[1], {extra}, **common)
"""
    )
    got = run_inside(project, code.replace("{extra}", 'policy={"replicate": "mean"}'))
    assert "unknown policies: replicate" in got["message"]
    got = run_inside(project, code.replace("{extra}", 'weights={"targets:sen": 1.0}'))
    assert "weights of targets not evaluated: targets:sen" in got["message"]


def test_prediction(tmp_path):
    code = (
        EVALUATE
        + """
bands = predict_function(["targets:seen"], [{"params": params, "tables": tables}] * 3,
    entrypoint=common["entrypoint"], seed=1)
answer = {name: frame_from_ipc(data).to_dict(as_series=False) for name, data in bands.items()}
"""
    )
    got = run_inside(line_project(tmp_path), code)
    assert got["seen"]["observed"] == [1.0, 3.0, 4.0]
    assert got["seen"]["q500"] == [1.0, 2.5, 4.0]


def test_observed_data_are_read_once_until_they_change(tmp_path):
    code = (
        EVALUATE
        + """
import pathlib
import polars as pl
reads, read = [], pl.read_csv
pl.read_csv = lambda path: (reads.append(str(path)), read(path))[1]
score = lambda: evaluate_function(["targets:seen"], [tables], seeds=[1], **common)["objective"]
first = [score(), score()]
once = len(reads)
file = pathlib.Path("data/seen.csv")
file.write_text(file.read_text().replace("4.0", "40.0"))
answer = [first[0] == first[1], once, score() > first[0], len(reads)]
"""
    )
    assert run_inside(line_project(tmp_path), code) == [True, 1, True, 2]


def test_simulating_loads_nothing_but_what_the_model_does(tmp_path):
    code = """
import sys
from modelops_calabaria.modelops_wire import describe_function, wire_function
describe_function("model", "models.line:Line")
wire_function("models.line.Line/baseline", {"slope": 1}, 1)
heavy = ("scipy", "optuna", "matplotlib", "cma", "jinja2", "ruamel", "click", "rich")
answer = [name for name in heavy if name in sys.modules]
"""
    assert run_inside(line_project(tmp_path), code) == []


def test_streams_and_files_hold_the_same_tables(tmp_path):
    code = """
from modelops_calabaria.modelops_wire import simulate_function, wire_function
from modelops_calabaria.tables import frame_from_ipc
call = ("models.line.Line/baseline", {"slope": 1.5, "start": 1}, 7)
files, streams = wire_function(*call), simulate_function(*call)
answer = [
    sorted(files) == sorted(streams) and files["metadata"] == streams["metadata"],
    [files[name][:6] == b"ARROW1" for name in files if name != "metadata"],
    [streams[name][:6] == b"ARROW1" for name in streams if name != "metadata"],
    [frame_from_ipc(files[n]).equals(frame_from_ipc(streams[n])) for n in files if n != "metadata"],
]
"""
    same, files, streams, equal = run_inside(line_project(tmp_path), code)
    assert same
    assert files
    assert all(files)
    assert not any(streams)
    assert all(equal)
