"""How the compared columns of both sides are spelled in an aligned table."""

from __future__ import annotations

from modelops_calabaria.constants import SUFFIX_OBS, SUFFIX_SIM


def observed_name(column: str) -> str:
    return f"{column}{SUFFIX_OBS}"


def simulated_name(column: str) -> str:
    return f"{column}{SUFFIX_SIM}"
