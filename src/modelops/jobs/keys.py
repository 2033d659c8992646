"""From parameter sets and seeds to requests under their keys. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelops.engine.requests import SimRequest
from modelops.jobs.documents import JobPlan
from modelops_contracts.digests import agg_key, sim_key
from modelops_contracts.evaluation import EvaluationRequest
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask
from modelops_contracts.study import SimulationStudy

__all__ = ["Wanted", "evaluation_key", "evaluation_request", "requests_for", "wanted_of"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parameter set of a study and all its simulations, in replicate order."""

    params: UniqueParameterSet
    sims: tuple[SimRequest, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(sim.sim_key for sim in self.sims)


def requests_for(
    plan: JobPlan, bundle_ref: str, params: UniqueParameterSet, seeds: Sequence[int]
) -> tuple[SimRequest, ...]:
    """One request per seed, replicate numbers in the order of ``seeds``."""
    first = SimTask(
        bundle_ref=bundle_ref,
        entrypoint=plan.entrypoint,
        params=params,
        seed=seeds[0],
        outputs=plan.outputs,
        config=plan.config or None,
    )
    return tuple(
        SimRequest(_key(plan, params, seed), first.with_seed(seed), replicate)
        for replicate, seed in enumerate(seeds)
    )


def _key(plan: JobPlan, params: UniqueParameterSet, seed: int) -> str:
    return sim_key(
        code=plan.code,
        entrypoint=plan.model,
        scenario=plan.scenario,
        config=plan.config or None,
        params=params.params,
        seed=seed,
        outputs=plan.outputs,
        env=plan.environment,
    )


def wanted_of(plan: JobPlan, bundle_ref: str, study: SimulationStudy) -> list[Wanted]:
    """All parameter sets of a normalised study, in its order.

    Rows with equal values are one parameter set: its replicates are the distinct seeds of all of
    them, numbered as they come.
    """
    sets: dict[str, UniqueParameterSet] = {}
    seeds: dict[str, dict[int, None]] = {}
    for entry in study.parameter_sets:
        params = UniqueParameterSet.from_dict(entry.params)
        sets.setdefault(params.param_id, params)
        listed = study.seeds_of(entry, params.param_id)
        seeds.setdefault(params.param_id, {}).update(dict.fromkeys(listed))
    return [
        Wanted(params, requests_for(plan, bundle_ref, params, tuple(seeds[param_id])))
        for param_id, params in sets.items()
    ]


def evaluation_request(plan: JobPlan, sims: Sequence[SimRequest]) -> EvaluationRequest:
    """Score these replicates of one parameter set against all targets of the plan."""
    return EvaluationRequest(
        task=sims[0].task,
        seeds=tuple(sim.task.seed for sim in sims),
        targets=tuple(target.entrypoint for target in plan.targets),
        weights=plan.weights,
        policy=plan.policy,
    )


def evaluation_key(plan: JobPlan, sims: Sequence[SimRequest]) -> str:
    """The key such an evaluation is stored under."""
    return agg_key(
        target=plan.target_digest,
        policy=plan.policy,
        weights=plan.weights,
        sim_keys=[sim.sim_key for sim in sims],
    )
