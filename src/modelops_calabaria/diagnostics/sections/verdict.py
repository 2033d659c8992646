"""What the reader sees first: the verdict, the numbers, the findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modelops_calabaria.diagnostics.blocks import Banner, Block, Section, Table, Text, Tile, Tiles
from modelops_calabaria.diagnostics.sections.wording import (
    best_of,
    count,
    rounded,
    sentence,
    with_se,
)
from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

__all__ = ["verdict_section"]


def verdict_section(record: CalibrationRecord) -> Section:
    return Section(
        "Verdict",
        (
            Banner(record.verdict, _verdict_text(record)),
            *(_headline(record),),
            _findings_table(record.findings),
        ),
    )


def _verdict_text(record: CalibrationRecord) -> str:
    if record.failure:
        return f"There is no result: {record.failure}."
    counts = Counter(finding.severity for finding in record.findings)
    if not counts:
        return "Every gate was passed."
    words = {FAIL: "failed", WARN: "to note"}
    parts = [f"{counts[severity]} {word}" for severity, word in words.items() if counts[severity]]
    return f"Gates: {', '.join(parts)}. The codes below say which, and what to do."


def _headline(record: CalibrationRecord) -> Block:
    best = best_of(record)
    n = record.trials.height
    work = (
        Tile("trials", f"{n:,}", f"stopped: {record.stop_reason}"),
        Tile("simulations", f"{record.n_simulations:,}", _duration(record.seconds)),
    )
    if best is None:
        return Tiles(work)
    unit = "negative log-likelihood" if best.evaluation.kind == "loglik" else "loss"
    se = best.objective_se
    return Tiles(
        (
            Tile(
                "confirmed objective",
                with_se(best.objective, se),
                f"{unit}, {_replicates(record, best)}",
            ),
            Tile(
                "selection value",
                rounded(best.selection.objective, se),
                f"best of {len(record.candidates)} candidates",
            ),
            Tile(
                "search value",
                rounded(best.search.objective, se),
                f"trial {best.trial}",
            ),
            Tile("optimism", rounded(best.optimism, se), "confirmed − search"),
            *work,
        )
    )


def _replicates(record: CalibrationRecord, best: Candidate) -> str:
    if record.settings["deterministic"]:
        return "deterministic: no sampling error"
    return f"{count(len(best.seeds), 'fresh replicate')}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _findings_table(findings: Sequence[Finding]) -> Block:
    if not findings:
        return Text("No findings.", quiet=True)
    return Table(
        columns=("", "code", "what was found", "what to do"),
        rows=tuple((f.severity, f.code, sentence(f.message), f.action) for f in findings),
        widths=(0.7, 1.5, 3.6, 2.4),
    )
