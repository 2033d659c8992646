"""The class every model derives from, and the one way a model is run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, final

from modelops_calabaria.builder import SimulatorBuilder
from modelops_calabaria.decorators import discover_decorated_methods
from modelops_calabaria.parameters.config import ConfigurationSet, ConfigurationSpace, detached
from modelops_calabaria.parameters.named import did_you_mean, refuse_unknown
from modelops_calabaria.parameters.types import ParameterSet, ParameterSpace
from modelops_calabaria.scenarios import ConfigLike, ScenarioSpec, compose_scenarios
from modelops_calabaria.tables import add_seed, as_frame, refuse_seed
from modelops_contracts.errors import InvalidType, InvalidValue, MissingKey
from modelops_contracts.frozen import as_seed

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BaseModel", "ModelRun", "run_model"]

Method = Callable[..., Any]
_FINAL = ("simulate", "simulate_scenario")
_STEPS = ("build_sim", "run_sim")


class BaseModel(ABC):
    """A simulation model: parameters in, tables out.

    An author sets ``PARAMS``, writes :meth:`build_sim` and :meth:`run_sim`, and marks extractors
    with ``@model_output`` and scenarios with ``@model_scenario``. ``CONFIG`` holds settings that
    are not calibrated; ``DETERMINISTIC = True`` says that the seed changes nothing.
    """

    PARAMS: ClassVar[ParameterSpace]
    CONFIG: ClassVar[ConfigurationSpace | None] = None
    DEFAULT_SCENARIO: ClassVar[str] = "baseline"
    DETERMINISTIC: ClassVar[bool] = False

    _output_methods: ClassVar[Mapping[str, Method]] = MappingProxyType({})
    _scenario_methods: ClassVar[Mapping[str, Method]] = MappingProxyType({})

    space: ParameterSpace
    config_space: ConfigurationSpace | None
    base_config: ConfigLike
    _scenarios: dict[str, ScenarioSpec] | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _FINAL:
            if getattr(cls, name) is not getattr(BaseModel, name):
                raise InvalidType(
                    f"{cls.__name__} must not override {name}",
                    hint="put the model's steps into build_sim, run_sim and @model_output methods",
                )
        _refuse_bad_spaces(cls)
        outputs, scenarios = discover_decorated_methods(cls)
        cls._output_methods = MappingProxyType(outputs)
        cls._scenario_methods = MappingProxyType(scenarios)

    def __new__(cls, *_args: Any, **_kwargs: Any) -> BaseModel:
        # Set here, so that an author's __init__ need not call ours.
        model = super().__new__(cls)
        if getattr(cls, "PARAMS", None) is None:
            raise _without_parameters(cls)
        _put(model, "space", cls.PARAMS)
        _put(model, "config_space", cls.CONFIG)
        _put(model, "base_config", _default_config(cls.CONFIG))
        _put(model, "_scenarios", None)
        return model

    def __init__(self, *, base_config: ConfigLike | None = None) -> None:
        if base_config is not None:
            _put(self, "base_config", _resolve_config(self, base_config))

    # ------------------------------------------------------------ what an author writes

    @abstractmethod
    def build_sim(self, params: ParameterSet, config: Any) -> Any:
        """Everything a run needs that does not depend on the seed."""

    @abstractmethod
    def run_sim(self, state: Any, seed: int) -> Any:
        """Run once; the result is handed to the outputs."""

    def setup_scenarios(self) -> Iterable[ScenarioSpec] | None:
        """Scenarios made by code, beside the decorated ones. Called once, before the first use."""
        return None

    # ------------------------------------------------------------ running

    @final
    def simulate(
        self,
        params: ParameterSet | Mapping[str, Any],
        seed: int,
        config: ConfigLike | None = None,
        config_overrides: Mapping[str, Any] | None = None,
    ) -> dict[str, pl.DataFrame]:
        """Run with these parameters, no scenario: {output: table}, each with a column ``seed``.

        ``params`` may be any mapping; parameters left out take their defaults. A mapping given as
        ``config`` (or as ``config_overrides``, never both) changes single settings of
        ``base_config``; a ConfigurationSet replaces it.
        """
        settings = _settings(config, config_overrides)
        return run_model(self, params, seed, config=settings).tables

    @final
    def simulate_scenario(
        self,
        scenario: str,
        params: ParameterSet | Mapping[str, Any],
        seed: int,
        config: ConfigLike | None = None,
        config_overrides: Mapping[str, Any] | None = None,
    ) -> dict[str, pl.DataFrame]:
        """The same in a scenario, whose patches override both parameters and configuration."""
        settings = _settings(config, config_overrides)
        return run_model(self, params, seed, scenarios=(scenario,), config=settings).tables

    def extract_outputs(
        self, raw: Any, seed: int, outputs: Iterable[str] | None = None
    ) -> dict[str, pl.DataFrame]:
        """Tables of a finished run: all outputs, or only those named."""
        methods = type(self)._output_methods
        wanted = sorted(methods) if outputs is None else list(outputs)
        return {name: self._extract(name, raw, seed) for name in wanted}

    def _extract(self, name: str, raw: Any, seed: int, *, with_seed: bool = True) -> pl.DataFrame:
        methods = type(self)._output_methods
        if name not in methods:
            raise MissingKey(
                f"Output '{name}' not found in {type(self).__name__}",
                hint=did_you_mean(name, sorted(methods)),
            )
        where = f"output '{name}' of {type(self).__name__}"
        frame = as_frame(methods[name](self, raw, seed), where)
        return add_seed(frame, seed, where) if with_seed else refuse_seed(frame, where)

    # ------------------------------------------------------------ looking

    def list_outputs(self) -> list[str]:
        return sorted(type(self)._output_methods)

    def list_scenarios(self) -> list[str]:
        """The default scenario first, the others in the order of definition."""
        return list(self._known_scenarios())

    def get_scenario(self, name: str) -> ScenarioSpec:
        """The scenario of that name. Raises ValueError naming the nearest."""
        known = self._known_scenarios()
        if name not in known:
            raise InvalidValue(f"Unknown scenario: {name}", hint=did_you_mean(name, known))
        return known[name]

    def builder(self, scenario: str = "baseline") -> SimulatorBuilder:
        """Start building a simulator of free parameters."""
        return SimulatorBuilder(self, scenario)

    def _known_scenarios(self) -> dict[str, ScenarioSpec]:
        known = self._scenarios
        if known is None:
            known = _collect_scenarios(self)
            _put(self, "_scenarios", known)
        return known


# ---------------------------------------------------------------- running


@dataclass(frozen=True, slots=True)
class ModelRun:
    """Tables of one run, and what it was run with after all patches."""

    tables: dict[str, pl.DataFrame]
    params: ParameterSet
    config: ConfigLike
    applied: dict[str, ScenarioSpec]


def run_model(
    model: BaseModel,
    params: ParameterSet | Mapping[str, Any],
    seed: int,
    *,
    scenarios: Sequence[str] = (),
    config: ConfigLike | None = None,
    outputs: Iterable[str] | None = None,
    with_seed: bool = True,
) -> ModelRun:
    """Run a model once. Later wins: base configuration, ``config``, scenarios left to right.

    Whoever stacks many tables can do ``with_seed=False`` and add the column to all at once; a model
    that extracts its outputs its own way writes it all the same.
    """
    number = as_seed(seed)
    values = _resolve_params(model, params)
    settings = model.base_config if config is None else _resolve_config(model, config)
    applied: dict[str, ScenarioSpec] = {}
    if scenarios:
        stack = [model.get_scenario(name) for name in scenarios]
        values, settings, applied = compose_scenarios(stack, values, settings)
    raw = model.run_sim(model.build_sim(values, detached(settings)), number)
    if with_seed or type(model).extract_outputs is not BaseModel.extract_outputs:
        tables = model.extract_outputs(raw, number, outputs)
    else:
        names = model.list_outputs() if outputs is None else outputs
        tables = {name: model._extract(name, raw, number, with_seed=False) for name in names}
    return ModelRun(tables, values, settings, applied)


def _resolve_params(model: BaseModel, params: ParameterSet | Mapping[str, Any]) -> ParameterSet:
    if not isinstance(params, ParameterSet):
        if not isinstance(params, Mapping):
            raise InvalidType(
                f"params must be a ParameterSet or a mapping, not {type(params).__name__}",
                hint='write {"beta": 0.3, ...}',
            )
        return ParameterSet(model.space, {**model.space.default_values(), **params})
    if params.space is model.space:
        return params
    if not model.space.is_compatible(params.space):
        raise InvalidValue(
            f"the parameter set belongs to a different parameter space than {type(model).__name__}"
        )
    return ParameterSet(model.space, params)


def _settings(config: ConfigLike | None, overrides: Mapping[str, Any] | None) -> ConfigLike | None:
    if config is not None and overrides is not None:
        raise InvalidValue("give config or config_overrides, not both")
    return overrides if config is None else config


def _resolve_config(model: BaseModel, config: ConfigLike) -> ConfigLike:
    space = model.config_space
    if isinstance(config, ConfigurationSet):
        if space is None or not space.is_compatible(config.space):
            raise InvalidValue(
                f"the configuration belongs to a different space than {type(model).__name__}"
            )
        return config
    refuse_unknown("Unknown configurations", config, () if space is None else space.names())
    base = model.base_config
    return base.with_updates(**config) if isinstance(base, ConfigurationSet) else base


def _default_config(space: ConfigurationSpace | None) -> ConfigLike:
    return {} if space is None else ConfigurationSet.from_defaults(space)


# ---------------------------------------------------------------- definition


def _refuse_bad_spaces(cls: type[BaseModel]) -> None:
    params = getattr(cls, "PARAMS", None)
    if params is None and not _is_abstract(cls):
        raise _without_parameters(cls)
    if params is not None and not isinstance(params, ParameterSpace):
        raise InvalidType(
            f"{cls.__name__}: PARAMS must be set to a ParameterSpace, got {type(params).__name__}"
        )
    if cls.CONFIG is not None and not isinstance(cls.CONFIG, ConfigurationSpace):
        raise InvalidType(
            f"{cls.__name__}: CONFIG must be a ConfigurationSpace, got {type(cls.CONFIG).__name__}"
        )


def _without_parameters(cls: type) -> InvalidType:
    return InvalidType(
        f"{cls.__name__}: PARAMS must be set",
        hint='PARAMS = ParameterSpace([ParameterSpec("beta", 0.1, 0.9)])',
    )


def _put(model: BaseModel, name: str, value: object) -> None:
    """Also where the author's class is a frozen dataclass."""
    object.__setattr__(model, name, value)


def _is_abstract(cls: type) -> bool:
    """True while a method is abstract. ABCMeta has not counted yet when a class is being made."""
    if ABC in cls.__bases__:
        return True
    names = {name for owner in cls.__mro__ for name in vars(owner)}
    return any(getattr(getattr(cls, name, None), "__isabstractmethod__", False) for name in names)


def _collect_scenarios(model: BaseModel) -> dict[str, ScenarioSpec]:
    default = type(model).DEFAULT_SCENARIO
    found = {default: ScenarioSpec(default)}
    for name, method in type(model)._scenario_methods.items():
        found[name] = _checked_scenario(model, name, method(model))
    for scenario in model.setup_scenarios() or ():
        if not isinstance(scenario, ScenarioSpec):
            raise InvalidType(
                f"setup_scenarios of {type(model).__name__} must return ScenarioSpec values, "
                f"got {type(scenario).__name__}"
            )
        found[scenario.name] = scenario
    return found


def _checked_scenario(model: BaseModel, name: str, scenario: object) -> ScenarioSpec:
    where = f"scenario '{name}' of {type(model).__name__}"
    if not isinstance(scenario, ScenarioSpec):
        raise InvalidType(f"{where} must return ScenarioSpec, got {type(scenario).__name__}")
    if scenario.name != name:
        raise InvalidValue(
            f"{where} returns a ScenarioSpec of a different name: '{scenario.name}'",
            hint="use one name in the decorator and in the ScenarioSpec",
        )
    return scenario
