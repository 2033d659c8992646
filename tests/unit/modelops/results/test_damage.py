"""A damaged or lost file is named, and removing what the hint names loses only what it listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelops.results.store import ResultsStore
from modelops_contracts.errors import IntegrityError, ModelOpsError, NotFound
from modelops_contracts.evaluation import Evaluation
from support.outcomes import CODE, incidence, ok, sim_request


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(
    ("damage", "kind", "error"),
    [
        (cut, "index", IntegrityError),
        (cut, "out", IntegrityError),
        (Path.unlink, "out", NotFound),
    ],
)
def test_the_hint_is_a_way_out(
    tmp_path: Path, damage: Callable[[Path], None], kind: str, error: type[ModelOpsError]
) -> None:
    first, second = sim_request(1), sim_request(2)
    ResultsStore.open(tmp_path).append(CODE, [ok(first, out=incidence(1))], job="j")
    (victim,) = tmp_path.glob(f"sims/*/{kind}/*.parquet")
    ResultsStore.open(tmp_path).append(CODE, [ok(second, out=incidence(2))], job="j")
    damage(victim)
    with pytest.raises(error, match=victim.name) as caught:
        ResultsStore.open(tmp_path).tables(CODE, [first.sim_key])
    assert caught.value.hint is not None
    named = Path(caught.value.hint.removeprefix("remove ").partition(";")[0])
    named.unlink()
    assert list(ResultsStore.open(tmp_path).tables(CODE, [first.sim_key, second.sim_key])) == [
        second.sim_key
    ]


def test_a_damaged_evaluation_file_is_named_too(tmp_path: Path) -> None:
    ResultsStore.open(tmp_path).append_evaluations(
        "t" * 64, {"k": Evaluation("p", (1,), 2.0)}, job="j"
    )
    (victim,) = tmp_path.glob("evals/*/*.parquet")
    cut(victim)
    with pytest.raises(IntegrityError, match=victim.name) as caught:
        ResultsStore.open(tmp_path).known_evaluations("t" * 64, ["k"])
    assert str(victim) in str(caught.value.hint)


def test_a_damaged_format_file_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / "format.json").write_text("nonsense")
    with pytest.raises(IntegrityError) as caught:
        ResultsStore.open(tmp_path)
    assert f"remove {tmp_path / 'format.json'};" in str(caught.value.hint)
