"""What all sampling designs share: a space, a number of rows, values in natural units."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from modelops_calabaria.parameters.scalars import Scalar
from modelops_calabaria.parameters.types import ParameterSpace, ParameterSpec
from modelops_contracts.errors import InvalidInput, InvalidValue
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from modelops_calabaria.parameters.measures import IntMapping, Measure

__all__ = ["ColumnDesign", "SamplingStrategy", "SamplingWarning", "UnitDesign"]

T = TypeVar("T")
#: Whole numbers up to here are exact as floats.
_EXACT = 2**53


class SamplingWarning(UserWarning):
    """A design that works and is weaker than it could be."""


class SamplingStrategy(ABC):
    """A design over a parameter space; your own needs :meth:`sample` and a ``kind``.

    Row ``i`` of an extendable design depends on its settings and ``i`` alone, so that
    ``sample(n + m)`` equals ``sample(n) + sample(m, start=n)``.
    """

    #: Name in files and on the command line.
    kind: ClassVar[str] = "custom"
    extendable: ClassVar[bool] = False

    def __init__(self, parameter_space: ParameterSpace) -> None:
        if not len(parameter_space):
            raise InvalidValue(
                "nothing to sample: the space has no free parameter",
                hint="leave at least one parameter free",
            )
        self.parameter_space = parameter_space

    @abstractmethod
    def sample(self, n: int | None = None, start: int = 0) -> list[dict[str, Scalar]]:
        """``n`` rows from row ``start`` on: {name: Python float or int}.

        ``n`` may be None for designs whose size follows from themselves.
        """

    def settings(self) -> dict[str, Any]:
        """What the design depends on beside the space, as JSON."""
        return {}

    def method_name(self) -> str:
        return self.kind

    def over(self, space: ParameterSpace) -> Self:
        """The same design over another space."""
        other = copy.copy(self)
        SamplingStrategy.__init__(other, space)
        return other

    def frame(self, n: int | None = None, start: int = 0) -> pl.DataFrame:
        """The same rows as a polars frame: Float64 and Int64 columns."""
        import polars as pl

        rows = self.sample(n, start) if start else self.sample(n)
        kinds = {
            spec.name: pl.Int64 if spec.kind == "int" else pl.Float64
            for spec in self.parameter_space
            if not rows or spec.name in rows[0]
        }
        return pl.DataFrame(rows, schema=kinds)

    def generate_tasks(
        self,
        model_class: str,
        scenario: str,
        bundle_ref: str,
        n_samples: int,
        base_seed: int = 42,
        outputs: Sequence[str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> list[SimTask]:
        """One task per row; row i runs with seed ``base_seed + i``."""
        return [
            SimTask.from_components(
                import_path=model_class.replace(":", "."),
                scenario=scenario,
                bundle_ref=bundle_ref,
                params=UniqueParameterSet.from_dict(row),
                seed=base_seed + i,
                outputs=None if outputs is None else list(outputs),
                config=None if config is None else dict(config),
            )
            for i, row in enumerate(self.sample(n_samples))
        ]


class ColumnDesign(SamplingStrategy):
    """A design that is made column by column."""

    @abstractmethod
    def columns(self, n: int | None, start: int = 0) -> dict[str, list[Scalar]]:
        """Rows ``start`` to ``start + n`` as columns of Python numbers, in the space's order."""

    def sample(self, n: int | None = None, start: int = 0) -> list[dict[str, Scalar]]:
        columns = self.columns(n, start)
        names = list(columns)
        rows = zip(*columns.values(), strict=True)
        # Each row has a value of every column; asking again would cost a tenth of all.
        return [dict(zip(names, row, strict=False)) for row in rows]


class UnitDesign(ColumnDesign):
    """A design made of points in the unit cube.

    ``measure`` "prior": through the quantiles of a parameter's prior, else uniform in its
    transform's coordinates, else uniform in natural units; "natural" forces the last.
    ``int_mapping`` "equal" gives every whole number the same chance; "round" rounds a uniform
    value, which halves the chance of both ends.
    """

    def __init__(
        self,
        parameter_space: ParameterSpace,
        *,
        measure: Measure = "prior",
        int_mapping: IntMapping = "equal",
    ) -> None:
        super().__init__(parameter_space)
        self.measure = check_choice("measure", measure, ("prior", "natural"))
        self.int_mapping = check_choice("int_mapping", int_mapping, ("equal", "round"))

    @abstractmethod
    def unit(self, n: int, start: int = 0) -> npt.NDArray[np.float64]:
        """Points in [0, 1], shape (n, d)."""

    def natural(self, n: int | None, start: int = 0) -> dict[str, npt.NDArray[np.float64]]:
        """Rows in natural units as float64 columns, shape (n,) each; whole floats for kind int."""
        from modelops_calabaria.parameters.measures import natural_column

        points = self.unit(checked_count(n), checked_start(start))
        return {
            spec.name: natural_column(
                spec, points[:, column], measure=self.measure, int_mapping=self.int_mapping
            )
            for column, spec in enumerate(self.parameter_space)
        }

    def columns(self, n: int | None, start: int = 0) -> dict[str, list[Scalar]]:
        natural = self.natural(n, start)
        return {spec.name: to_numbers(spec, natural[spec.name]) for spec in self.parameter_space}

    def frame(self, n: int | None = None, start: int = 0) -> pl.DataFrame:
        import polars as pl

        specs = self.parameter_space
        if any(max(abs(spec.lower), abs(spec.upper)) > _EXACT for spec in specs):
            return super().frame(n, start)
        natural = self.natural(n, start)
        return pl.DataFrame(
            {
                spec.name: natural[spec.name].astype("int64" if spec.kind == "int" else "float64")
                for spec in specs
            }
        )

    def settings(self) -> dict[str, Any]:
        return {"measure": self.effective_measure, "int_mapping": self.int_mapping}

    @property
    def effective_measure(self) -> str:
        """ "natural" also where no parameter has a prior or a transform to go by."""
        shaped = any(spec.prior or spec.transform for spec in self.parameter_space)
        return self.measure if shaped else "natural"


def to_numbers(spec: ParameterSpec, values: npt.NDArray[np.float64]) -> list[Scalar]:
    """A column as Python numbers of the parameter's kind, inside its bounds."""
    if spec.kind == "float":
        return cast("list[Scalar]", values.tolist())
    numbers = [int(value) for value in values.tolist()]
    if max(abs(spec.lower), abs(spec.upper)) <= _EXACT:
        return cast("list[Scalar]", numbers)
    return [min(max(number, spec.lower), spec.upper) for number in numbers]


def check_choice(name: str, value: T, choices: Sequence[str]) -> T:
    if value not in choices:
        raise InvalidValue(f"{name} must be {' or '.join(map(repr, choices))}, got {value!r}")
    return value


def whole_number(value: object, what: str, *, least: int) -> int:
    """A Python int >= ``least``. Raises ValueError naming ``what``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InvalidValue(f"{what} must be a whole number >= {least}, got {value!r}")
    return int(value)


def checked_count(n: int | None) -> int:
    if n is None:
        raise InvalidInput("this design needs a number of rows", hint="give n, for example 64")
    return whole_number(n, "the number of rows", least=1)


def checked_start(start: int) -> int:
    return whole_number(start, "start", least=0)


def refuse_start(kind: str, start: int) -> None:
    """For designs in which every row depends on the number of rows."""
    if checked_start(start):
        raise InvalidInput(
            f"a {kind} design cannot be continued: each row depends on all others",
            hint="use sobol for a design that grows",
        )


def checked_seed(seed: int | None) -> int:
    """The seed; without one a fresh seed, which is stored with the design like any other."""
    if seed is None:
        import secrets

        return secrets.randbits(32)
    return whole_number(seed, "the seed of a design", least=0)


def warn(text: str) -> None:
    warnings.warn(text, SamplingWarning, stacklevel=3)
