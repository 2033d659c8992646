"""What things are: frozen values, ports, errors and digests that all parts of ModelOps share.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers read this name; importing typing would double the cost of this module.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from modelops_contracts.adaptive import (
        MAX_DIAG_BYTES,
        AdaptiveAlgorithm,
        ResumableAlgorithm,
        TrialResult,
        TrialStatus,
    )
    from modelops_contracts.artifacts import INLINE_CAP, ErrorInfo, TableArtifact
    from modelops_contracts.auth import AuthProvider, Credential
    from modelops_contracts.bundle_environment import (
        DEFAULT_ENVIRONMENT,
        ENVIRONMENTS_DIR,
        BundleEnvironment,
        RegistryConfig,
        StorageConfig,
    )
    from modelops_contracts.calibration_spec import CalibrationSpec
    from modelops_contracts.digests import (
        agg_key,
        aggregation_id,
        bundle12,
        canonical_json,
        canonical_task_id,
        digest_bytes,
        make_param_id,
        sim_key,
    )
    from modelops_contracts.entrypoint import (
        ENTRYPOINT_GRAMMAR_VERSION,
        EntryPointId,
        format_entrypoint,
        parse_entrypoint,
    )
    from modelops_contracts.environment import EnvironmentDigest
    from modelops_contracts.errors import (
        AccessDenied,
        Conflict,
        ContractViolationError,
        Detail,
        EntrypointFormatError,
        IntegrityError,
        Interrupted,
        InvalidInput,
        InvalidType,
        InvalidValue,
        MissingFile,
        MissingKey,
        ModelOpsError,
        NotFound,
        SimulationFailed,
        Unavailable,
    )
    from modelops_contracts.evaluation import (
        Evaluation,
        EvaluationRequest,
        ReplicateFailure,
        TargetScore,
    )
    from modelops_contracts.job_state import JobState, JobStatus
    from modelops_contracts.jobs import AnyJob, CalibrationJob, Job, SimJob, TargetSpec
    from modelops_contracts.manifest import BundleManifest
    from modelops_contracts.models import ModelDescription, TargetDescription
    from modelops_contracts.param_hashing import canonical_scalar, normalize_for_json
    from modelops_contracts.parameter_set import Scalar, SeedInfo, TableIPC, UniqueParameterSet
    from modelops_contracts.ports import (
        ArtifactStore,
        BundleRepository,
        ExecutionEnvironment,
        Executor,
        Future,
        JobBackend,
        NullReporter,
        Reporter,
        SecretStore,
        SimulationService,
        WireFunction,
        WorkspaceProvider,
    )
    from modelops_contracts.registry import (
        BUNDLE_STORAGE_DIR,
        REGISTRY_FILE,
        REGISTRY_PATH,
        BundleRegistry,
        ModelEntry,
        RegistryReader,
        TargetEntry,
        TargetSet,
        discover_model_classes,
        discover_model_outputs,
        discover_target_functions,
    )
    from modelops_contracts.simulation import (
        AggregationReturn,
        AggregationTask,
        ReplicateSet,
        SimReturn,
        SimTask,
    )
    from modelops_contracts.study import ParameterSetEntry, SimulationStudy, load_spec, write_spec

CONTRACTS_VERSION = "0.3.1"

_HOMES = {
    "AccessDenied": "errors",
    "AdaptiveAlgorithm": "adaptive",
    "AggregationReturn": "simulation",
    "AggregationTask": "simulation",
    "AnyJob": "jobs",
    "ArtifactStore": "ports",
    "AuthProvider": "auth",
    "BUNDLE_STORAGE_DIR": "registry",
    "BundleEnvironment": "bundle_environment",
    "BundleManifest": "manifest",
    "BundleRegistry": "registry",
    "BundleRepository": "ports",
    "CalibrationJob": "jobs",
    "CalibrationSpec": "calibration_spec",
    "Conflict": "errors",
    "ContractViolationError": "errors",
    "Credential": "auth",
    "DEFAULT_ENVIRONMENT": "bundle_environment",
    "Detail": "errors",
    "ENTRYPOINT_GRAMMAR_VERSION": "entrypoint",
    "ENVIRONMENTS_DIR": "bundle_environment",
    "EntryPointId": "entrypoint",
    "EntrypointFormatError": "errors",
    "EnvironmentDigest": "environment",
    "ErrorInfo": "artifacts",
    "Evaluation": "evaluation",
    "EvaluationRequest": "evaluation",
    "ExecutionEnvironment": "ports",
    "Executor": "ports",
    "Future": "ports",
    "INLINE_CAP": "artifacts",
    "IntegrityError": "errors",
    "Interrupted": "errors",
    "InvalidInput": "errors",
    "InvalidType": "errors",
    "InvalidValue": "errors",
    "Job": "jobs",
    "JobBackend": "ports",
    "JobState": "job_state",
    "JobStatus": "job_state",
    "MAX_DIAG_BYTES": "adaptive",
    "MissingFile": "errors",
    "MissingKey": "errors",
    "ModelDescription": "models",
    "ModelEntry": "registry",
    "ModelOpsError": "errors",
    "NotFound": "errors",
    "NullReporter": "ports",
    "ParameterSetEntry": "study",
    "REGISTRY_FILE": "registry",
    "REGISTRY_PATH": "registry",
    "RegistryConfig": "bundle_environment",
    "RegistryReader": "registry",
    "ReplicateFailure": "evaluation",
    "ReplicateSet": "simulation",
    "Reporter": "ports",
    "ResumableAlgorithm": "adaptive",
    "Scalar": "parameter_set",
    "SecretStore": "ports",
    "SeedInfo": "parameter_set",
    "SimJob": "jobs",
    "SimReturn": "simulation",
    "SimTask": "simulation",
    "SimulationFailed": "errors",
    "SimulationService": "ports",
    "SimulationStudy": "study",
    "StorageConfig": "bundle_environment",
    "TableArtifact": "artifacts",
    "TableIPC": "parameter_set",
    "TargetDescription": "models",
    "TargetEntry": "registry",
    "TargetScore": "evaluation",
    "TargetSet": "registry",
    "TargetSpec": "jobs",
    "TrialResult": "adaptive",
    "TrialStatus": "adaptive",
    "Unavailable": "errors",
    "UniqueParameterSet": "parameter_set",
    "WireFunction": "ports",
    "WorkspaceProvider": "ports",
    "agg_key": "digests",
    "aggregation_id": "digests",
    "bundle12": "digests",
    "canonical_json": "digests",
    "canonical_scalar": "param_hashing",
    "canonical_task_id": "digests",
    "digest_bytes": "digests",
    "discover_model_classes": "registry",
    "discover_model_outputs": "registry",
    "discover_target_functions": "registry",
    "format_entrypoint": "entrypoint",
    "load_spec": "study",
    "make_param_id": "digests",
    "normalize_for_json": "param_hashing",
    "parse_entrypoint": "entrypoint",
    "sim_key": "digests",
    "write_spec": "study",
}

__all__ = [
    "BUNDLE_STORAGE_DIR",
    "CONTRACTS_VERSION",
    "DEFAULT_ENVIRONMENT",
    "ENTRYPOINT_GRAMMAR_VERSION",
    "ENVIRONMENTS_DIR",
    "INLINE_CAP",
    "MAX_DIAG_BYTES",
    "REGISTRY_FILE",
    "REGISTRY_PATH",
    "AccessDenied",
    "AdaptiveAlgorithm",
    "AggregationReturn",
    "AggregationTask",
    "AnyJob",
    "ArtifactStore",
    "AuthProvider",
    "BundleEnvironment",
    "BundleManifest",
    "BundleRegistry",
    "BundleRepository",
    "CalibrationJob",
    "CalibrationSpec",
    "Conflict",
    "ContractViolationError",
    "Credential",
    "Detail",
    "EntryPointId",
    "EntrypointFormatError",
    "EnvironmentDigest",
    "ErrorInfo",
    "Evaluation",
    "EvaluationRequest",
    "ExecutionEnvironment",
    "Executor",
    "Future",
    "IntegrityError",
    "Interrupted",
    "InvalidInput",
    "InvalidType",
    "InvalidValue",
    "Job",
    "JobBackend",
    "JobState",
    "JobStatus",
    "MissingFile",
    "MissingKey",
    "ModelDescription",
    "ModelEntry",
    "ModelOpsError",
    "NotFound",
    "NullReporter",
    "ParameterSetEntry",
    "RegistryConfig",
    "RegistryReader",
    "ReplicateFailure",
    "ReplicateSet",
    "Reporter",
    "ResumableAlgorithm",
    "Scalar",
    "SecretStore",
    "SeedInfo",
    "SimJob",
    "SimReturn",
    "SimTask",
    "SimulationFailed",
    "SimulationService",
    "SimulationStudy",
    "StorageConfig",
    "TableArtifact",
    "TableIPC",
    "TargetDescription",
    "TargetEntry",
    "TargetScore",
    "TargetSet",
    "TargetSpec",
    "TrialResult",
    "TrialStatus",
    "Unavailable",
    "UniqueParameterSet",
    "WireFunction",
    "WorkspaceProvider",
    "agg_key",
    "aggregation_id",
    "bundle12",
    "canonical_json",
    "canonical_scalar",
    "canonical_task_id",
    "digest_bytes",
    "discover_model_classes",
    "discover_model_outputs",
    "discover_target_functions",
    "format_entrypoint",
    "load_spec",
    "make_param_id",
    "normalize_for_json",
    "parse_entrypoint",
    "sim_key",
    "write_spec",
]

#: Looked up anew on every access.
_NOT_KEPT = frozenset({"ENVIRONMENTS_DIR"})


if not TYPE_CHECKING:  # otherwise a misspelled name would pass the type checker

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{home}"), name)
        if name not in _NOT_KEPT:
            globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
