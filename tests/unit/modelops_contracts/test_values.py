"""Rules of the frozen values, one by one."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from modelops_contracts import adaptive, artifacts, simulation
from modelops_contracts.adaptive import MAX_DIAG_BYTES, TrialResult, TrialStatus
from modelops_contracts.artifacts import (
    ARROW_FILE,
    ARROW_STREAM,
    INLINE_CAP,
    ErrorInfo,
    TableArtifact,
)
from modelops_contracts.auth import Credential
from modelops_contracts.digests import digest_bytes
from modelops_contracts.environment import EnvironmentDigest
from modelops_contracts.errors import ContractViolationError, IntegrityError, InvalidInput
from modelops_contracts.evaluation import (
    Evaluation,
    EvaluationRequest,
    ReplicateFailure,
    TargetScore,
)
from modelops_contracts.job_state import JobState, JobStatus
from modelops_contracts.models import ModelDescription, TargetDescription
from modelops_contracts.parameter_set import SeedInfo, UniqueParameterSet
from modelops_contracts.simulation import (
    AggregationReturn,
    AggregationTask,
    ReplicateSet,
    SimReturn,
    SimTask,
)

REF = "sha256:" + "a" * 64
PARAMS = UniqueParameterSet.from_dict({"beta": 0.3, "n": 4})
TABLE = TableArtifact.of(b"ARROW1 and so on")
TASK = SimTask(bundle_ref=REF, entrypoint="models.sir.Sir/baseline", params=PARAMS, seed=1)
ERROR = ErrorInfo("ValueError", "no", retryable=True)
SCORE = TargetScore("t", "loglik", -math.inf, 2.0, (-math.inf, -3.0), 5, 4, 1, ("worst",))
EVALUATION = Evaluation(
    param_id="p",
    seeds=(1, 2),
    objective=math.inf,
    kind="loglik",
    scores=(SCORE,),
    failures=(ReplicateFailure(1, 2, ERROR, "Traceback"),),
    reason="ZERO_LIKELIHOOD",
)
VALUES: list[Any] = [
    PARAMS,
    TABLE,
    TASK,
    SimTask(
        bundle_ref=REF,
        entrypoint="models.sir.Sir/baseline",
        params=PARAMS,
        seed=1,
        outputs=("a",),
        config={"k": [1]},
        env={"e": 1},
    ),
    ERROR,
    SeedInfo(1, 2, (3, 4)),
    TrialResult("p", 1.0, {"a": 1}),
    ReplicateSet(TASK, 3),
    ReplicateSet(TASK, 2, seeds=(7, 9)),
    SimReturn("id", {"o": TABLE}),
    AggregationTask(REF, "t:f", (SimReturn("id", {"o": TABLE}),)),
    AggregationReturn("a", 1.0, {}, {}, 2),
    EnvironmentDigest("3.13.0", "linux-x86_64", {"a": "1"}),
    Credential("user", "secret"),
    EvaluationRequest(TASK, (1, 2), ("t:f",), {"t:f": 1.0}, {"replicates": "logmeanexp"}),
    SCORE,
    ReplicateFailure(0, 1, ERROR, "tb"),
    JobStatus("job-1", JobState.RUNNING, done=1, total=2, detail={"k": 1}),
    ModelDescription("m:M", "d", ({"name": "x"},), {"baseline": {}}, ("o",), {"k": "1"}),
    TargetDescription("t:f", "t", ("o",), "loss"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_frozen_and_travel(value: Any) -> None:
    name = type(value).__slots__[0]
    with pytest.raises(AttributeError):
        setattr(value, name, getattr(value, name))
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert hash(pickle.loads(pickle.dumps(value))) == hash(value)
    assert not hasattr(value, "__dict__")


def test_evaluation_travels_with_its_nan() -> None:
    again = pickle.loads(pickle.dumps(EVALUATION))
    assert again.scores == EVALUATION.scores
    assert math.isnan(again.objective_se)
    with pytest.raises(AttributeError):
        EVALUATION.objective = 1.0  # type: ignore[misc]


class TestUniqueParameterSet:
    def test_params_are_a_read_only_copy(self) -> None:
        source: dict[str, Any] = {"x": 1.0}
        params = UniqueParameterSet.from_dict(source)
        source["x"] = 2.0
        assert params.params == {"x": 1.0}
        assert isinstance(params.params, MappingProxyType)
        with pytest.raises(TypeError):
            params.params["x"] = 3.0  # type: ignore[index]

    def test_equality_is_by_id_and_values(self) -> None:
        assert UniqueParameterSet({"x": 1}, "a") != UniqueParameterSet({"x": 1}, "b")
        assert UniqueParameterSet({"x": 1}, "a") != UniqueParameterSet({"x": 2}, "a")
        assert UniqueParameterSet({"x": 1}, "a") == UniqueParameterSet({"x": 1}, "a")
        assert UniqueParameterSet.from_dict({"x": 1}) != UniqueParameterSet.from_dict({"x": 1.0})
        assert PARAMS != "text"
        assert len({PARAMS, UniqueParameterSet.from_dict({"n": 4, "beta": 0.3})}) == 1

    @pytest.mark.parametrize("value", [math.nan, math.inf, None, [1], {"a": 1}, b"x", 1j])
    def test_values_are_finite_scalars(self, value: Any) -> None:
        with pytest.raises(ContractViolationError):
            UniqueParameterSet({"x": value}, "id")

    @pytest.mark.parametrize("param_id", ["", None, 3])
    def test_the_id_is_text(self, param_id: Any) -> None:
        with pytest.raises(ContractViolationError, match="param_id must be non-empty"):
            UniqueParameterSet({"x": 1}, param_id)

    def test_names_are_text_and_params_a_mapping(self) -> None:
        with pytest.raises(ContractViolationError):
            UniqueParameterSet({1: 1}, "id")  # type: ignore[dict-item]
        with pytest.raises(ContractViolationError):
            UniqueParameterSet([("x", 1)], "id")  # type: ignore[arg-type]

    def test_verify_recomputes_the_id(self) -> None:
        PARAMS.verify()
        with pytest.raises(IntegrityError, match="does not belong"):
            UniqueParameterSet({"x": 1}, "made-up").verify()


class TestSeedInfo:
    def test_lists_become_tuples_and_foreign_integers_ints(self) -> None:
        import numpy as np

        info = SeedInfo(np.int64(1), 2, [np.uint64(2**64 - 1)])  # type: ignore[arg-type]
        assert info == SeedInfo(1, 2, (2**64 - 1,))
        assert type(info.base_seed) is int
        assert type(info.replicate_seeds[0]) is int

    @pytest.mark.parametrize("bad", [True, 1.0, "1", None])
    def test_only_integers(self, bad: Any) -> None:
        for arguments in ((bad, 1, (1,)), (1, bad, (1,)), (1, 1, (1, bad))):
            with pytest.raises(ContractViolationError, match="must be integers"):
                SeedInfo(*arguments)

    @pytest.mark.parametrize("bad", [-1, 2**64])
    def test_range(self, bad: int) -> None:
        with pytest.raises(ContractViolationError, match="out of uint64 range"):
            SeedInfo(1, 1, (bad,))


class TestTableArtifact:
    def test_of_computes_everything(self) -> None:
        table = TableArtifact.of(b"ARROW1xx")
        assert (table.size, table.inline, table.ref) == (8, b"ARROW1xx", None)
        assert table.checksum == digest_bytes(b"ARROW1xx")
        assert table.content_type == ARROW_FILE
        assert TableArtifact.of(b"\xff\xff").content_type == ARROW_STREAM

    @pytest.mark.parametrize(
        ("changes", "fragment"),
        [
            ({"checksum": ""}, "checksum is required"),
            ({"checksum": "xyz"}, "checksum must be 64-character hex string"),
            ({"checksum": "A" * 64}, "checksum must be 64-character hex string"),
            ({"size": -1}, "size must be non-negative"),
            ({"size": True}, "size must be non-negative"),
            ({"inline": None}, "Must provide exactly one of inline or ref"),
            ({"ref": "r"}, "Must provide exactly one of inline or ref"),
            ({"size": 5}, "inline bytes length 3 doesn't match size"),
            ({"inline": None, "ref": ""}, "ref must be non-empty when provided"),
            (
                {"inline": b"x" * (INLINE_CAP + 1), "size": INLINE_CAP + 1},
                "inline artifacts must be <= 524288 bytes",
            ),
        ],
    )
    def test_rules(self, changes: dict[str, Any], fragment: str) -> None:
        fields: dict[str, Any] = {"size": 3, "inline": b"abc", "checksum": "a" * 64, **changes}
        with pytest.raises(ContractViolationError, match=fragment):
            TableArtifact(**fields)

    def test_the_largest_inline_table_is_accepted(self) -> None:
        assert TableArtifact.of(b"x" * INLINE_CAP).size == INLINE_CAP == 524288

    def test_readers_verify(self) -> None:
        assert TABLE.verified() == TABLE.inline
        forged = TableArtifact(size=3, inline=b"abc", checksum="a" * 64)
        with pytest.raises(IntegrityError, match="checksum"):
            forged.verified()
        remote = TableArtifact(size=3, ref="store/key", checksum=digest_bytes(b"abc"))
        assert remote.verified(b"abc") == b"abc"
        with pytest.raises(IntegrityError, match="2 bytes, 3 were promised"):
            remote.verified(b"ab")
        with pytest.raises(ContractViolationError, match="fetched first"):
            remote.verified()


class TestSimTask:
    def make(self, **changes: Any) -> SimTask:
        fields = {
            "bundle_ref": REF,
            "entrypoint": "models.sir.Sir/baseline",
            "params": PARAMS,
            "seed": 1,
            **changes,
        }
        return SimTask(**fields)

    @pytest.mark.parametrize(
        ("changes", "fragment"),
        [
            ({"bundle_ref": ""}, "bundle_ref must be non-empty"),
            ({"bundle_ref": "latest"}, "bundle_ref must be"),
            ({"bundle_ref": "sha256:" + "A" * 64}, "bundle_ref must be"),
            ({"bundle_ref": "sha256:" + "a" * 63}, "bundle_ref must be"),
            ({"bundle_ref": "@" + REF}, "bundle_ref must be"),
            ({"bundle_ref": REF + "\n"}, "bundle_ref must be"),
            ({"entrypoint": ""}, "entrypoint must be non-empty"),
            ({"entrypoint": "nothing"}, "Invalid entrypoint format"),
            ({"entrypoint": "a.b/UPPER"}, "Invalid entrypoint format"),
            ({"entrypoint": "single/baseline"}, "Invalid entrypoint format"),
            ({"params": {"x": 1}}, "params must be UniqueParameterSet"),
            ({"seed": 1.0}, "seed must be int"),
            ({"seed": True}, "seed must be int"),
            ({"seed": "1"}, "seed must be int"),
            ({"seed": -1}, "seed -1 out of uint64 range"),
            ({"seed": 2**64}, "seed .* out of uint64 range"),
            ({"outputs": "incidence"}, "outputs must be a sequence"),
            ({"outputs": ("a", "")}, "outputs"),
            ({"config": [1]}, "config must be a mapping"),
            ({"env": "x"}, "env must be a mapping"),
        ],
    )
    def test_rules(self, changes: dict[str, Any], fragment: str) -> None:
        with pytest.raises(ContractViolationError, match=fragment):
            self.make(**changes)

    def test_normal_forms(self) -> None:
        import numpy as np

        task = self.make(
            bundle_ref="host:5000/r@" + REF,
            seed=np.uint64(2**64 - 1),
            outputs=["b", "a", "b"],
            config={"k": 1},
        )
        assert (task.seed, type(task.seed)) == (2**64 - 1, int)
        assert task.outputs == ("a", "b")
        assert isinstance(task.config, MappingProxyType)
        assert (task.import_path, task.scenario) == ("models.sir.Sir", "baseline")

    def test_numpy_bool_is_no_seed(self) -> None:
        import numpy as np

        with pytest.raises(ContractViolationError, match="seed must be int"):
            self.make(seed=np.True_)

    def test_from_components(self) -> None:
        task = SimTask.from_components(
            import_path="models.sir.Sir",
            scenario="baseline",
            bundle_ref=REF,
            params={"n": 4, "beta": 0.3},  # type: ignore[arg-type]
            seed=1,
            outputs=[],
        )
        assert task == self.make()
        assert task.outputs is None

    def test_from_components_names_a_bad_scenario(self) -> None:
        with pytest.raises(ContractViolationError, match="Invalid scenario slug") as caught:
            SimTask.from_components(
                import_path="a.B", scenario="Big One", bundle_ref=REF, params=PARAMS, seed=1
            )
        assert caught.value.hint == "use 'big-one'"

    def test_another_seed(self) -> None:
        task = self.make(outputs=("a",), config={"k": 1})
        assert task.with_seed(9) == self.make(outputs=("a",), config={"k": 1}, seed=9)
        with pytest.raises(ContractViolationError, match="seed must be int"):
            task.with_seed(True)


class TestReplicateSet:
    def test_counted_seeds(self) -> None:
        tasks = ReplicateSet(TASK, 3, seed_offset=10).tasks()
        assert [task.seed for task in tasks] == [11, 12, 13]
        assert {task.params for task in tasks} == {PARAMS}

    def test_listed_seeds(self) -> None:
        assert [t.seed for t in ReplicateSet(TASK, 2, seeds=(7, 3)).tasks()] == [7, 3]
        with pytest.raises(ContractViolationError, match="3 seeds for n_replicates=2"):
            ReplicateSet(TASK, 2, seeds=(7, 3, 1))

    @pytest.mark.parametrize("n", [0, -1])
    def test_none(self, n: int) -> None:
        assert ReplicateSet(TASK, n).tasks() == []

    def test_overflow_is_seen_at_construction(self) -> None:
        last = TASK.with_seed(2**64 - 2)
        assert len(ReplicateSet(last, 2).tasks()) == 2
        with pytest.raises(ContractViolationError, match="out of uint64 range"):
            ReplicateSet(last, 3)


class TestSimReturn:
    @pytest.mark.parametrize(
        ("changes", "fragment"),
        [
            ({"task_id": ""}, "task_id must be non-empty"),
            ({"outputs": {}}, "outputs must contain at least one artifact"),
            ({"outputs": {"o": b"bytes"}}, "Output 'o' must be TableArtifact"),
            ({"error": ERROR}, "error_details"),
        ],
    )
    def test_rules(self, changes: dict[str, Any], fragment: str) -> None:
        with pytest.raises(ContractViolationError, match=fragment):
            SimReturn(**{"task_id": "id", "outputs": {"o": TABLE}, **changes})

    def test_an_error_needs_no_outputs(self) -> None:
        assert SimReturn("id", {}, error=ERROR, error_details=TABLE).error == ERROR


class TestAggregation:
    @pytest.mark.parametrize(
        "changes",
        [
            {"bundle_ref": ""},
            {"target_entrypoint": ""},
            {"target_entrypoint": "no-entrypoint"},
            {"sim_returns": ()},
        ],
    )
    def test_task_rules(self, changes: dict[str, Any]) -> None:
        fields = {
            "bundle_ref": REF,
            "target_entrypoint": "t:f",
            "sim_returns": [SimReturn("id", {"o": TABLE})],
        }
        assert isinstance(AggregationTask(**fields).sim_returns, tuple)  # type: ignore[arg-type]
        with pytest.raises(ContractViolationError):
            AggregationTask(**{**fields, **changes})

    @pytest.mark.parametrize(
        "changes", [{"loss": math.nan}, {"loss": math.inf}, {"n_replicates": 0}]
    )
    def test_return_rules(self, changes: dict[str, Any]) -> None:
        fields: dict[str, Any] = {
            "aggregation_id": "a",
            "loss": 1.0,
            "diagnostics": {},
            "outputs": {},
            "n_replicates": 1,
        }
        with pytest.raises(ContractViolationError):
            AggregationReturn(**{**fields, **changes})


class TestTrialResult:
    def test_a_completed_loss_is_finite(self) -> None:
        for loss in (math.nan, math.inf):
            with pytest.raises(ContractViolationError, match="finite for COMPLETED status"):
                TrialResult("p", loss)
            assert TrialResult("p", loss, status=TrialStatus.FAILED).status == "failed"

    def test_nan_in_diagnostics_becomes_null(self) -> None:
        result = TrialResult("p", 1.0, {"a": math.nan, "b": [math.inf, 1], "c": {"d": (1, 2)}})
        assert result.diagnostics == {"a": None, "b": [None, 1], "c": {"d": [1, 2]}}

    def test_size(self) -> None:
        TrialResult("p", 1.0, {"a": "x" * (MAX_DIAG_BYTES - 20)})
        with pytest.raises(ContractViolationError, match="too large"):
            TrialResult("p", 1.0, {"a": "x" * MAX_DIAG_BYTES})
        with pytest.raises(ContractViolationError, match="too large"):
            TrialResult("p", 1.0, {"a": "é" * (MAX_DIAG_BYTES // 2)})

    @pytest.mark.parametrize("diagnostics", [{"a": object()}, {1: "a"}, [1]])
    def test_diagnostics_are_json(self, diagnostics: Any) -> None:
        with pytest.raises(ContractViolationError, match="diagnostics"):
            TrialResult("p", 1.0, diagnostics)

    def test_status_by_its_word(self) -> None:
        assert TrialResult("p", 1.0, status="timeout").status is TrialStatus.TIMEOUT  # type: ignore[arg-type]
        with pytest.raises(ContractViolationError, match="completed, failed, timeout"):
            TrialResult("p", 1.0, status="done")  # type: ignore[arg-type]

    def test_the_id_is_needed(self) -> None:
        with pytest.raises(ContractViolationError, match="param_id"):
            TrialResult("", 1.0)


class TestEnvironmentDigest:
    def test_digest_does_not_depend_on_order(self) -> None:
        one = EnvironmentDigest("3.13.0", "linux-x86_64", {"b": "2", "a": "1"})
        two = EnvironmentDigest("3.13.0", "linux-x86_64", {"a": "1", "b": "2"})
        expected = "c656cca75be5519a03a1d6b5b219568caefc0b511fcb06c5ce8e93cf0a8ca687"
        assert one.compute_digest() == two.compute_digest() == expected

    def test_every_field_counts(self) -> None:
        base = EnvironmentDigest("3.13.0", "linux", {"a": "1"})
        changed = [
            EnvironmentDigest("3.12.0", "linux", {"a": "1"}),
            EnvironmentDigest("3.13.0", "darwin", {"a": "1"}),
            base.with_dependencies({"a": "2"}),
            EnvironmentDigest("3.13.0", "linux", {"a": "1"}, container_image="i"),
            EnvironmentDigest("3.13.0", "linux", {"a": "1"}, cuda_version="12"),
            EnvironmentDigest("3.13.0", "linux", {"a": "1"}, rng_algorithm="MT"),
            EnvironmentDigest("3.13.0", "linux", {"a": "1"}, thread_count=2),
        ]
        assert len({item.compute_digest() for item in (base, *changed)}) == 8

    def test_capture_lists_what_is_installed(self) -> None:
        import platform
        from importlib.metadata import version

        captured = EnvironmentDigest.capture_current()
        assert captured.python_version == platform.python_version()
        assert captured.dependencies["numpy"] == version("numpy")
        assert "ruamel-yaml" in captured.dependencies
        assert EnvironmentDigest.from_json(captured.to_json()) == captured


class TestEvaluation:
    def test_objective_is_no_nan(self) -> None:
        with pytest.raises(ContractViolationError, match="NaN"):
            Evaluation("p", (1,), math.nan)

    def test_kind(self) -> None:
        with pytest.raises(ContractViolationError, match="'loss' or 'loglik'"):
            TargetScore("t", "other", 1.0)

    def test_request_rules(self) -> None:
        with pytest.raises(ContractViolationError, match="seeds must be non-empty"):
            EvaluationRequest(TASK, (), ("t:f",))
        with pytest.raises(ContractViolationError, match="targets must be a sequence"):
            EvaluationRequest(TASK, (1,), "t:f")  # type: ignore[arg-type]

    def test_json_holds_infinities_as_text(self) -> None:
        import json

        text = json.dumps(EVALUATION.to_json(), allow_nan=False)
        again = Evaluation.from_json(json.loads(text))
        assert again.objective == math.inf
        assert again.scores == EVALUATION.scores
        assert again.failures == EVALUATION.failures
        assert math.isnan(again.ess)


@pytest.mark.parametrize(
    "value", [VALUES[14], SCORE, VALUES[16], VALUES[18], VALUES[19]], ids=lambda v: type(v).__name__
)
def test_json_round_trip(value: Any) -> None:
    import json

    text = json.dumps(value.to_json(), allow_nan=False)
    assert type(value).from_json(json.loads(text)) == value


def test_descriptions_name_their_parts() -> None:
    description = ModelDescription("m:M", parameters=({"name": "x"}, {"name": "y"}))
    assert description.parameter_names == ("x", "y")
    assert description.parameter("y") == {"name": "y"}
    assert description.parameter("z") is None
    with pytest.raises(ContractViolationError, match="module:object"):
        ModelDescription("m.M")
    with pytest.raises(ContractViolationError, match="kind"):
        TargetDescription("t:f", "t", ("o",), "other")


def test_no_repr_shows_a_secret() -> None:
    assert "hunter2" not in repr(Credential("user", "hunter2"))


def test_states_that_end() -> None:
    assert {state for state in JobState if state.ended} == {
        "succeeded",
        "partial",
        "failed",
        "cancelled",
    }


def test_constants() -> None:
    assert (artifacts.INLINE_CAP, adaptive.MAX_DIAG_BYTES) == (524288, 65536)
    assert issubclass(ContractViolationError, InvalidInput)
    assert simulation.bundle12(REF) == "a" * 12


class TestWhatIsNoValue:
    """Mistakes are named where they are made, not where a library stumbles over them."""

    def test_a_task_does_not_change_with_what_it_was_made_of(self) -> None:
        config = {"ages": [1, 2], "rates": {"old": 0.1}}
        task = replace(TASK, config=config, env={"threads": [1]})
        before = task.task_id()
        config["ages"].append(3)  # type: ignore[attr-defined]
        config["rates"]["old"] = 9  # type: ignore[index]
        assert task.config == {"ages": [1, 2], "rates": {"old": 0.1}}
        assert task.task_id() == before

    def test_values_of_a_set_are_checked_before_they_are_hashed(self) -> None:
        with pytest.raises(ContractViolationError, match="parameter 'x' must be finite, not nan"):
            UniqueParameterSet.from_dict({"x": math.nan})

    @pytest.mark.parametrize("loss", [None, "1.0", True])
    def test_a_loss_is_a_number(self, loss: Any) -> None:
        with pytest.raises(ContractViolationError, match="loss must be a number"):
            TrialResult("p", loss)

    @pytest.mark.parametrize("count", [2.5, True, "3"])
    def test_a_number_of_replicates_is_whole(self, count: Any) -> None:
        with pytest.raises(ContractViolationError, match="n_replicates must be int"):
            ReplicateSet(TASK, count)

    def test_inline_content_is_bytes(self) -> None:
        with pytest.raises(ContractViolationError, match="inline must be bytes, not str"):
            TableArtifact(inline="ab", size=2, checksum="a" * 64)  # type: ignore[arg-type]

    def test_an_error_of_a_return_is_an_error_info(self) -> None:
        details = TableArtifact.of(b"traceback")
        with pytest.raises(ContractViolationError, match="error must be ErrorInfo, not str"):
            SimReturn("t", {}, error="boom", error_details=details)  # type: ignore[arg-type]
