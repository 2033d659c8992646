"""What the contract's identities and values cost beside the plainest code that does as much.

Run: python benchmarks/contracts.py
"""

from __future__ import annotations

import hashlib
import json

from _ratio import Ratio, measure, report

from modelops_contracts.digests import make_param_id
from modelops_contracts.study import SimulationStudy
from modelops_contracts.types import UniqueParameterSet

PARAMS = {f"p{i}": 0.1 * i + 0.01 for i in range(10)}


def identities() -> Ratio:
    """Against the JSON text with sorted keys and one BLAKE2b of it."""

    def bare() -> str:
        text = json.dumps(PARAMS, sort_keys=True).encode()
        return hashlib.blake2b(text, digest_size=32).hexdigest()

    return measure(
        "make_param_id, 10 parameters / json + BLAKE2b", lambda: make_param_id(PARAMS), bare, 1.5
    )


def tasks_of_a_study() -> Ratio:
    """Against a loop that does nothing but hash the parameters of every task."""
    rows = [{name: value + i for name, value in PARAMS.items()} for i in range(1000)]
    study = SimulationStudy.from_dict(
        {
            "model": "m.M",
            "scenario": "baseline",
            "parameter_sets": [{"params": row} for row in rows],
            "n_replicates": 100,
        }
    )

    def hash_every_task() -> None:
        for row in rows:
            for _ in range(100):
                UniqueParameterSet.from_dict(row)

    return measure(
        "1,000 sets x 100 replicates to tasks / hashing each",
        lambda: study.to_simjob("sha256:" + "a" * 64),
        hash_every_task,
        0.5,
    )


if __name__ == "__main__":
    report([identities(), tasks_of_a_study()])
