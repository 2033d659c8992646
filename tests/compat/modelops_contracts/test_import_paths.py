"""Names and places that existing projects import."""

from __future__ import annotations

from importlib import import_module

import pytest

import modelops_contracts

ALL = [
    "CONTRACTS_VERSION",
    "SimTask",
    "ReplicateSet",
    "AggregationTask",
    "AggregationReturn",
    "UniqueParameterSet",
    "SeedInfo",
    "Scalar",
    "TableIPC",
    "AdaptiveAlgorithm",
    "TrialStatus",
    "TrialResult",
    "SimReturn",
    "ErrorInfo",
    "TableArtifact",
    "INLINE_CAP",
    "MAX_DIAG_BYTES",
    "EntryPointId",
    "ENTRYPOINT_GRAMMAR_VERSION",
    "EntrypointFormatError",
    "format_entrypoint",
    "parse_entrypoint",
    "make_param_id",
    "digest_bytes",
    "ContractViolationError",
    "Future",
    "SimulationService",
    "ExecutionEnvironment",
    "BundleRepository",
    "WireFunction",
    "BundleManifest",
    "ModelEntry",
    "TargetEntry",
    "TargetSet",
    "BundleRegistry",
    "discover_model_classes",
    "discover_model_outputs",
    "discover_target_functions",
    "BUNDLE_STORAGE_DIR",
    "REGISTRY_FILE",
    "REGISTRY_PATH",
    "Job",
    "SimJob",
    "CalibrationJob",
    "TargetSpec",
    "ParameterSetEntry",
    "SimulationStudy",
    "CalibrationSpec",
    "BundleEnvironment",
    "RegistryConfig",
    "StorageConfig",
    "DEFAULT_ENVIRONMENT",
    "ENVIRONMENTS_DIR",
    "Credential",
    "AuthProvider",
    "EnvironmentDigest",
    "canonical_task_id",
    "bundle12",
    "aggregation_id",
    "RegistryReader",
    "AnyJob",
    "canonical_scalar",
    "normalize_for_json",
    "canonical_json",
    "ModelOpsError",
    "EvaluationRequest",
    "Evaluation",
    "TargetScore",
    "ReplicateFailure",
]

PLACES = {
    "types": "Scalar TableIPC UniqueParameterSet SeedInfo SimTask SimReturn Evaluation",
    "errors": "ContractViolationError EntrypointFormatError ModelOpsError",
    "param_hashing": "make_param_id digest_bytes canonical_scalar normalize_for_json "
    "canonical_json",
    "entrypoint": "EntryPointId ENTRYPOINT_GRAMMAR_VERSION EntrypointFormatError "
    "format_entrypoint parse_entrypoint",
    "simulation": "SimTask ReplicateSet SimReturn AggregationTask AggregationReturn "
    "canonical_task_id bundle12 aggregation_id",
    "artifacts": "TableArtifact ErrorInfo INLINE_CAP",
    "adaptive": "AdaptiveAlgorithm TrialStatus TrialResult MAX_DIAG_BYTES",
    "jobs": "Job SimJob CalibrationJob TargetSpec AnyJob",
    "study": "ParameterSetEntry SimulationStudy CalibrationSpec",
    "registry": "ModelEntry TargetEntry TargetSet BundleRegistry RegistryReader",
    "manifest": "BundleManifest ModelEntry",
    "environment": "EnvironmentDigest",
    "bundle_environment": "BundleEnvironment RegistryConfig StorageConfig DEFAULT_ENVIRONMENT "
    "ENVIRONMENTS_DIR",
    "auth": "Credential AuthProvider",
    "ports": "Future SimulationService ExecutionEnvironment BundleRepository WireFunction "
    "AuthProvider AdaptiveAlgorithm",
}


@pytest.mark.parametrize("name", ALL)
def test_public_names(name: str) -> None:
    assert name in modelops_contracts.__all__
    assert getattr(modelops_contracts, name) is not None


@pytest.mark.parametrize("module", PLACES)
def test_places(module: str) -> None:
    loaded = import_module(f"modelops_contracts.{module}")
    for name in PLACES[module].split():
        assert hasattr(loaded, name), name
        if name != "ENVIRONMENTS_DIR" and name in modelops_contracts.__all__:
            assert getattr(loaded, name) is getattr(modelops_contracts, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTRACTS_VERSION", "0.3.1"),
        ("ENTRYPOINT_GRAMMAR_VERSION", 2),
        ("INLINE_CAP", 524288),
        ("MAX_DIAG_BYTES", 65536),
        ("DEFAULT_ENVIRONMENT", "dev"),
        ("BUNDLE_STORAGE_DIR", ".modelops-bundle"),
        ("REGISTRY_FILE", "registry.yaml"),
        ("REGISTRY_PATH", ".modelops-bundle/registry.yaml"),
        ("TableIPC", bytes),
    ],
)
def test_constants(name: str, value: object) -> None:
    found = getattr(modelops_contracts, name)
    assert (str(found) if name == "REGISTRY_PATH" else found) == value


def test_positional_construction() -> None:
    """Existing code builds these by position."""
    contracts = modelops_contracts
    params = contracts.UniqueParameterSet({"x": 1.0}, "id")
    task = contracts.SimTask("sha256:" + "a" * 64, "m.M/baseline", params, 1, ("o",), {}, None)
    assert contracts.ReplicateSet(task, 2, 5).seed_offset == 5
    assert contracts.SeedInfo(1, 2, (3,)).trial_seed == 2
    assert contracts.TrialResult("id", 1.0).status is contracts.TrialStatus.COMPLETED
    assert contracts.ErrorInfo("ValueError", "m").retryable is False
    assert contracts.EnvironmentDigest("3.11", "linux").thread_count == 1
    assert contracts.SimulationStudy("m.M", "baseline", [{"x": 1}], "grid").n_replicates == 1  # type: ignore[arg-type,list-item]
    assert contracts.CalibrationSpec("m", "baseline", "optuna", {}, 5).max_iterations == 5
    assert contracts.Credential("u", "s").expires_at is None
    assert contracts.RegistryConfig("docker", "localhost:5000").requires_auth is False
