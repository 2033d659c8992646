"""What was asked for, and with what it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelops_calabaria.diagnostics.blocks import Section, Table
from modelops_calabaria.diagnostics.sections.wording import best_of, count
from modelops_calabaria.outcome.record import CalibrationRecord

__all__ = ["settings_section"]


def settings_section(record: CalibrationRecord) -> Section:
    settings = record.settings
    sampler = dict(settings["sampler"])
    unlimited = (None, 0.0, 1_000_000)
    stop = {k: v for k, v in settings["stop"].items() if v not in unlimited}
    rows = [
        ("model", settings["model"]),
        ("scenario", settings["scenario"]),
        ("configuration", _pairs_text(settings["config"]) or "the model's own"),
        ("fixed parameters", _pairs_text(settings["fixed"]) or "none"),
        ("targets", "; ".join(_target_text(t) for t in settings["targets"])),
        ("engine", f"{sampler.pop('type')} {_pairs_text(sampler)}".strip()),
        ("stop rules", _pairs_text(stop)),
        ("seed", str(settings["seed"])),
        ("replicates in the search", f"{settings['n_replicates']} per trial"),
        ("in flight", f"{settings['batch_size']}, schedule {settings['schedule']}"),
        ("common random numbers", settings["crn"]),
        ("replicates become", settings["replicates"]),
        ("a failed replicate", settings["failed_replicates"]),
        ("rescoring", _rescore_text(settings["rescore"])),
        ("deterministic model", "yes" if settings["deterministic"] else "no"),
        ("seeds", _seeds_text(record)),
        ("fingerprint", record.fingerprint),
        ("versions", ", ".join(f"{k} {v}" for k, v in record.versions.items())),
    ]  # fmt: skip
    return Section("Settings", (Table(("setting", "value"), tuple(rows), (1.7, 5.0)),))


def _rescore_text(rescore: Mapping[str, int]) -> str:
    return (
        f"top {rescore['top_k']} with {count(rescore['n_replicates'], 'fresh replicate')}, "
        f"the winner confirmed with {count(rescore['confirm'], 'other')}"
    )


def _pairs_text(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in values.items()
    )


def _target_text(target: Mapping[str, Any]) -> str:
    family = target["family"] or target["kind"]
    return f"{target['name']} ({family}, {target['n_observed']} rows, weight {target['weight']:g})"


def _seeds_text(record: CalibrationRecord) -> str:
    best = best_of(record)
    if best is None:
        return f"base seed {record.settings['seed']}"
    confirmed = ", ".join(str(seed) for seed in best.seeds[:3])
    more = ", …" if len(best.seeds) > 3 else ""
    return (
        f"base seed {record.settings['seed']}; confirmation: {confirmed}{more} "
        f"({count(len(best.seeds), 'seed')}, not used before)"
    )
