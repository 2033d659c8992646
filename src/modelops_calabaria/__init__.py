"""The science of simulation models: parameters, scenarios, targets, sampling, calibration.

``import modelops_calabaria as cb``. Names are loaded when they are first used, so that importing
this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers read this name; importing typing would double the cost of this module.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from modelops_calabaria.alignment.aligned import AlignedData
    from modelops_calabaria.alignment.errors import AlignmentError, MetricAlignmentError
    from modelops_calabaria.alignment.join import AsofJoin, ExactJoin, JoinMode
    from modelops_calabaria.alignment.metric import MetricAlignment
    from modelops_calabaria.alignment.registry import (
        ALIGNMENT_STRATEGIES,
        JoinAlignment,
        make_alignment,
        register_alignment,
    )
    from modelops_calabaria.alignment.strategy import AlignmentStrategy
    from modelops_calabaria.base_model import BaseModel
    from modelops_calabaria.builder import SimulatorBuilder
    from modelops_calabaria.calibration.api import (
        Evaluation,
        calibrate,
        check,
        diagnose,
        evaluate,
        run_study,
    )
    from modelops_calabaria.calibration.builders import (
        CalibrationSpecBuilder,
        OptunaCalibrationBuilder,
    )
    from modelops_calabaria.calibration.result import CalibrationResult
    from modelops_calabaria.calibration.studies import StudyResult
    from modelops_calabaria.calibration.study_run import StudyInterrupted
    from modelops_calabaria.constants import SEED_COL
    from modelops_calabaria.decorators import (
        calibration_target,
        get_registered_targets,
        model_output,
        model_scenario,
    )
    from modelops_calabaria.describe import describe_model, describe_target
    from modelops_calabaria.evaluation.aggregate import IdentityAggregator, MeanAcrossReplicates
    from modelops_calabaria.evaluation.evaluator import (
        LikelihoodEvaluator,
        LossEvaluator,
        annealed,
        annealed_mse,
        mean_of_per_replicate_mse,
        mean_signal,
        mean_signal_mse,
        metric_mse,
        replicate_mean_mse,
    )
    from modelops_calabaria.evaluation.joint import evaluate_joint
    from modelops_calabaria.evaluation.likelihoods import (
        beta_binomial_loglik_factory,
        beta_binomial_loglik_per_rep,
        beta_binomial_od_loglik_per_rep,
        binomial_loglik_per_rep,
        binomial_report_loglik_per_rep,
        dirichlet_multinomial_loglik_per_rep,
        gamma_poisson_loglik_per_rep,
        log_normal_loglik_per_rep,
        neg_binomial_loglik_per_rep,
        normal_loglik_per_rep,
        poisson_loglik_per_rep,
        student_t_loglik_per_rep,
    )
    from modelops_calabaria.evaluation.losses import (
        AbsoluteErrorLoss,
        LogSquaredErrorLoss,
        NormalizedAbsoluteErrorLoss,
        ScaledSquaredErrorLoss,
        SquaredErrorLoss,
    )
    from modelops_calabaria.evaluation.quantities import Param
    from modelops_calabaria.evaluation.reduce import MeanGroupedByReplicate, MeanReducer
    from modelops_calabaria.evaluation.results import (
        LikelihoodEvaluationResult,
        LossEvaluationResult,
        TargetLikelihoodResult,
        TargetLossResult,
    )
    from modelops_calabaria.outcome.findings import Finding
    from modelops_calabaria.parameters.config import (
        ConfigSpec,
        ConfigurationSet,
        ConfigurationSpace,
    )
    from modelops_calabaria.parameters.coordinates import CoordinateSystem
    from modelops_calabaria.parameters.priors import Prior
    from modelops_calabaria.parameters.scalars import Scalar
    from modelops_calabaria.parameters.transforms import (
        AffineSqueezedLogit,
        Identity,
        LogitTransform,
        LogTransform,
        Transform,
    )
    from modelops_calabaria.parameters.types import ParameterSet, ParameterSpace, ParameterSpec
    from modelops_calabaria.parameters.view import ParameterView
    from modelops_calabaria.sampling.base import SamplingStrategy, SamplingWarning
    from modelops_calabaria.sampling.file import FileSampler
    from modelops_calabaria.sampling.grid import GridSampler
    from modelops_calabaria.sampling.halton import HaltonSampler
    from modelops_calabaria.sampling.lhs import LatinHypercubeSampler
    from modelops_calabaria.sampling.random import RandomSampler
    from modelops_calabaria.sampling.sobol import SobolSampler
    from modelops_calabaria.sampling.study import build_study, extend_study
    from modelops_calabaria.scenarios import ScenarioSpec, compose_scenarios, scenario_hash
    from modelops_calabaria.simulator import ModelSimulator
    from modelops_calabaria.targets import (
        LikelihoodTarget,
        LikelihoodTargetSet,
        LossTarget,
        LossTargetSet,
        load_target,
        scalar_target,
    )
    from modelops_calabaria.wire_loader import load_symbol
    from modelops_calabaria.wire_protocol import (
        EntryRecord,
        SerializedParameterSpec,
        WireABI,
        WireResponse,
        entry_from_manifest,
        make_wire,
        make_wire_from_manifest,
    )

    __version__: str

#: Public name -> the module that defines it.
_HOMES = {
    "ALIGNMENT_STRATEGIES": "alignment.registry",
    "AbsoluteErrorLoss": "evaluation.losses",
    "AffineSqueezedLogit": "parameters.transforms",
    "AlignedData": "alignment.aligned",
    "AlignmentError": "alignment.errors",
    "AlignmentStrategy": "alignment.strategy",
    "AsofJoin": "alignment.join",
    "BaseModel": "base_model",
    "CalibrationResult": "calibration.result",
    "CalibrationSpecBuilder": "calibration.builders",
    "ConfigSpec": "parameters.config",
    "ConfigurationSet": "parameters.config",
    "ConfigurationSpace": "parameters.config",
    "CoordinateSystem": "parameters.coordinates",
    "EntryRecord": "wire_protocol",
    "Evaluation": "calibration.api",
    "ExactJoin": "alignment.join",
    "FileSampler": "sampling.file",
    "Finding": "outcome.findings",
    "GridSampler": "sampling.grid",
    "HaltonSampler": "sampling.halton",
    "Identity": "parameters.transforms",
    "IdentityAggregator": "evaluation.aggregate",
    "JoinAlignment": "alignment.registry",
    "JoinMode": "alignment.join",
    "LatinHypercubeSampler": "sampling.lhs",
    "LikelihoodEvaluationResult": "evaluation.results",
    "LikelihoodEvaluator": "evaluation.evaluator",
    "LikelihoodTarget": "targets",
    "LikelihoodTargetSet": "targets",
    "LogSquaredErrorLoss": "evaluation.losses",
    "LogTransform": "parameters.transforms",
    "LogitTransform": "parameters.transforms",
    "LossEvaluationResult": "evaluation.results",
    "LossEvaluator": "evaluation.evaluator",
    "LossTarget": "targets",
    "LossTargetSet": "targets",
    "MeanAcrossReplicates": "evaluation.aggregate",
    "MeanGroupedByReplicate": "evaluation.reduce",
    "MeanReducer": "evaluation.reduce",
    "MetricAlignment": "alignment.metric",
    "MetricAlignmentError": "alignment.errors",
    "ModelSimulator": "simulator",
    "NormalizedAbsoluteErrorLoss": "evaluation.losses",
    "OptunaCalibrationBuilder": "calibration.builders",
    "Param": "evaluation.quantities",
    "ParameterSet": "parameters.types",
    "ParameterSpace": "parameters.types",
    "ParameterSpec": "parameters.types",
    "ParameterView": "parameters.view",
    "Prior": "parameters.priors",
    "RandomSampler": "sampling.random",
    "SEED_COL": "constants",
    "SamplingStrategy": "sampling.base",
    "SamplingWarning": "sampling.base",
    "Scalar": "parameters.scalars",
    "ScaledSquaredErrorLoss": "evaluation.losses",
    "ScenarioSpec": "scenarios",
    "SerializedParameterSpec": "wire_protocol",
    "SimulatorBuilder": "builder",
    "SobolSampler": "sampling.sobol",
    "SquaredErrorLoss": "evaluation.losses",
    "StudyInterrupted": "calibration.study_run",
    "StudyResult": "calibration.studies",
    "TargetLikelihoodResult": "evaluation.results",
    "TargetLossResult": "evaluation.results",
    "Transform": "parameters.transforms",
    "WireABI": "wire_protocol",
    "WireResponse": "wire_protocol",
    "annealed": "evaluation.evaluator",
    "annealed_mse": "evaluation.evaluator",
    "beta_binomial_loglik_factory": "evaluation.likelihoods",
    "beta_binomial_loglik_per_rep": "evaluation.likelihoods",
    "beta_binomial_od_loglik_per_rep": "evaluation.likelihoods",
    "binomial_loglik_per_rep": "evaluation.likelihoods",
    "binomial_report_loglik_per_rep": "evaluation.likelihoods",
    "build_study": "sampling.study",
    "calibrate": "calibration.api",
    "calibration_target": "decorators",
    "check": "calibration.api",
    "compose_scenarios": "scenarios",
    "describe_model": "describe",
    "describe_target": "describe",
    "diagnose": "calibration.api",
    "dirichlet_multinomial_loglik_per_rep": "evaluation.likelihoods",
    "entry_from_manifest": "wire_protocol",
    "evaluate": "calibration.api",
    "evaluate_joint": "evaluation.joint",
    "extend_study": "sampling.study",
    "gamma_poisson_loglik_per_rep": "evaluation.likelihoods",
    "get_registered_targets": "decorators",
    "load_symbol": "wire_loader",
    "load_target": "targets",
    "log_normal_loglik_per_rep": "evaluation.likelihoods",
    "make_alignment": "alignment.registry",
    "make_wire": "wire_protocol",
    "make_wire_from_manifest": "wire_protocol",
    "mean_of_per_replicate_mse": "evaluation.evaluator",
    "mean_signal": "evaluation.evaluator",
    "mean_signal_mse": "evaluation.evaluator",
    "metric_mse": "evaluation.evaluator",
    "model_output": "decorators",
    "model_scenario": "decorators",
    "neg_binomial_loglik_per_rep": "evaluation.likelihoods",
    "normal_loglik_per_rep": "evaluation.likelihoods",
    "poisson_loglik_per_rep": "evaluation.likelihoods",
    "register_alignment": "alignment.registry",
    "replicate_mean_mse": "evaluation.evaluator",
    "run_study": "calibration.api",
    "scalar_target": "targets",
    "scenario_hash": "scenarios",
    "student_t_loglik_per_rep": "evaluation.likelihoods",
}

__all__ = [
    "ALIGNMENT_STRATEGIES",
    "SEED_COL",
    "AbsoluteErrorLoss",
    "AffineSqueezedLogit",
    "AlignedData",
    "AlignmentError",
    "AlignmentStrategy",
    "AsofJoin",
    "BaseModel",
    "CalibrationResult",
    "CalibrationSpecBuilder",
    "ConfigSpec",
    "ConfigurationSet",
    "ConfigurationSpace",
    "CoordinateSystem",
    "EntryRecord",
    "Evaluation",
    "ExactJoin",
    "FileSampler",
    "Finding",
    "GridSampler",
    "HaltonSampler",
    "Identity",
    "IdentityAggregator",
    "JoinAlignment",
    "JoinMode",
    "LatinHypercubeSampler",
    "LikelihoodEvaluationResult",
    "LikelihoodEvaluator",
    "LikelihoodTarget",
    "LikelihoodTargetSet",
    "LogSquaredErrorLoss",
    "LogTransform",
    "LogitTransform",
    "LossEvaluationResult",
    "LossEvaluator",
    "LossTarget",
    "LossTargetSet",
    "MeanAcrossReplicates",
    "MeanGroupedByReplicate",
    "MeanReducer",
    "MetricAlignment",
    "MetricAlignmentError",
    "ModelSimulator",
    "NormalizedAbsoluteErrorLoss",
    "OptunaCalibrationBuilder",
    "Param",
    "ParameterSet",
    "ParameterSpace",
    "ParameterSpec",
    "ParameterView",
    "Prior",
    "RandomSampler",
    "SamplingStrategy",
    "SamplingWarning",
    "Scalar",
    "ScaledSquaredErrorLoss",
    "ScenarioSpec",
    "SerializedParameterSpec",
    "SimulatorBuilder",
    "SobolSampler",
    "SquaredErrorLoss",
    "StudyInterrupted",
    "StudyResult",
    "TargetLikelihoodResult",
    "TargetLossResult",
    "Transform",
    "WireABI",
    "WireResponse",
    "__version__",
    "annealed",
    "annealed_mse",
    "beta_binomial_loglik_factory",
    "beta_binomial_loglik_per_rep",
    "beta_binomial_od_loglik_per_rep",
    "binomial_loglik_per_rep",
    "binomial_report_loglik_per_rep",
    "build_study",
    "calibrate",
    "calibration_target",
    "check",
    "compose_scenarios",
    "describe_model",
    "describe_target",
    "diagnose",
    "dirichlet_multinomial_loglik_per_rep",
    "entry_from_manifest",
    "evaluate",
    "evaluate_joint",
    "extend_study",
    "gamma_poisson_loglik_per_rep",
    "get_registered_targets",
    "load_symbol",
    "load_target",
    "log_normal_loglik_per_rep",
    "make_alignment",
    "make_wire",
    "make_wire_from_manifest",
    "mean_of_per_replicate_mse",
    "mean_signal",
    "mean_signal_mse",
    "metric_mse",
    "model_output",
    "model_scenario",
    "neg_binomial_loglik_per_rep",
    "normal_loglik_per_rep",
    "poisson_loglik_per_rep",
    "register_alignment",
    "replicate_mean_mse",
    "run_study",
    "scalar_target",
    "scenario_hash",
    "student_t_loglik_per_rep",
]


if not TYPE_CHECKING:  # otherwise a misspelled name would pass the type checker

    def __getattr__(name: str) -> object:
        if name == "__version__":
            return _read_version()
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(_explain(name))
        value = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = value
        return value


def _read_version() -> str:
    from importlib.metadata import version

    return version("modelops")


def _explain(name: str) -> str:
    from modelops_contracts.errors import nearest

    text = f"module {__name__!r} has no attribute {name!r}"
    # Tools probe for dunder names all the time; a guess is for people.
    close = [] if name.startswith("__") else nearest(name, _HOMES)
    return f"{text}; did you mean {', '.join(close)}?" if close else text


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
