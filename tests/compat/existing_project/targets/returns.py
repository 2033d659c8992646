# ruff: noqa  (written as it was)
"""Targets as they were before there were target objects: a function of what simulations returned."""

from io import BytesIO

import polars as pl
from modelops_calabaria import calibration_target


def _tables(sim_returns, name):
    return [pl.read_ipc(BytesIO(ret.outputs[name].inline)) for ret in sim_returns]


@calibration_target(model_output="incidence", data={"observed": "data/obs.csv"})
def total_target(sim_returns, target_data):
    observed = pl.read_csv(target_data["observed"])["cases"].sum()
    totals = [table["cases"].sum() for table in _tables(sim_returns, "incidence")]
    mean = sum(totals) / len(totals)
    return {"loss": float((mean - observed) ** 2), "diagnostics": {"mean": mean}}


def peak_target(sim_returns, target_data):
    peaks = [table["cases"].max() for table in _tables(sim_returns, "incidence")]
    return {"loss": abs(sum(peaks) / len(peaks) - 40.0), "diagnostics": {}}
