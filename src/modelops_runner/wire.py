"""Finds the functions that know the author's models, in the environment the guest runs in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from typing import Any

__all__ = ["GROUP", "NAME", "Wire", "WireMissingError", "find_wire", "wire_from_module"]

GROUP = "modelops.wire"
NAME = "execute"

Execute = Callable[..., Mapping[str, bytes]]


class WireMissingError(Exception):
    """No function, or more than one, says how to run models in this environment."""


class Wire:
    """The wire function of an environment, and its siblings in the same module."""

    def __init__(self, module_name: str, function_name: str) -> None:
        self.module = import_module(module_name)
        self.execute: Execute = getattr(self.module, function_name)
        if function_name == "wire_function":
            # The same answers as Arrow streams, where the environment's calabaria offers them.
            self.execute = getattr(self.module, "simulate_function", self.execute)
        self.name = f"{module_name}:{function_name}"
        self._takes_more = _accepts_outputs_and_config(self.execute)

    def simulate(
        self,
        entrypoint: str,
        params: dict[str, Any],
        seed: int,
        outputs: list[str] | None,
        config: dict[str, Any] | None,
    ) -> Mapping[str, bytes]:
        """One simulation. An older wire of three arguments refuses outputs and config by name."""
        if self._takes_more:
            return self.execute(entrypoint, params, seed, outputs=outputs, config=config)
        refused = [
            name for name, value in (("outputs", outputs), ("config", config)) if value is not None
        ]
        if refused:
            raise TypeError(
                f"{self.name} is an older wire function that takes entrypoint, params and seed; "
                f"it cannot honour {' and '.join(refused)}"
            )
        return self.execute(entrypoint, params, seed)

    def sibling(self, name: str) -> Callable[..., Any]:
        """Another function of the wire's module; raises WireMissingError when it has none."""
        function = getattr(self.module, name, None)
        if function is None:
            raise WireMissingError(
                f"{self.module.__name__} has no {name}: it is too old for this request"
            )
        return function  # type: ignore[no-any-return]


def _accepts_outputs_and_config(function: Execute) -> bool:
    parameters = inspect.signature(function).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return True
    return "outputs" in parameters and "config" in parameters


def find_wire(module: str | None = None) -> Wire:
    """The wire named by ``module`` or ``module:function``, else the environment's entry point."""
    if module:
        return wire_from_module(module)
    found = _registered()
    if not found:
        raise WireMissingError(f"no package of this environment offers {GROUP!r} / {NAME!r}")
    if len(found) > 1:
        owners = ", ".join(f"{value} ({owner})" for value, owner in sorted(found.items()))
        raise WireMissingError(f"more than one package offers {GROUP!r} / {NAME!r}: {owners}")
    return wire_from_module(next(iter(found)))


def wire_from_module(name: str) -> Wire:
    module, _, function = name.partition(":")
    return Wire(module, function or "wire_function")


def _registered() -> dict[str, str]:
    """Every registered wire function and the distribution that registers it."""
    found: dict[str, str] = {}
    for owner, point in _wire_points():
        found[point.value] = owner
    return found


def _wire_points() -> list[tuple[str, EntryPoint]]:
    return [
        (str(distribution.metadata["Name"]), point)
        for distribution in distributions()
        for point in distribution.entry_points
        if point.group == GROUP and point.name == NAME
    ]
