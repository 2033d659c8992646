"""What a report says, independent of the paper it is printed on."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modelops_calabaria.diagnostics import charts
from modelops_calabaria.diagnostics.blocks import (
    Banner,
    Block,
    Chart,
    Report,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
)
from modelops_calabaria.diagnostics.views import (
    Column,
    TrialView,
    identifiability,
    view_record,
    view_table,
)
from modelops_calabaria.outcome.findings import FAIL, PASS, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

if TYPE_CHECKING:
    import polars as pl

__all__ = ["describe_record", "describe_table"]

_MOST_PAIRED = 6
_MOST_PANELS = 12
_MOST_FAILURES = 12


def describe_record(record: CalibrationRecord, *, threshold: float = 0.0) -> Report:
    """The report of a calibration; ``threshold`` is the least identifiability of paired ones."""
    view = view_record(record)
    sections = [
        _verdict_section(record),
        *_estimate_sections(record),
        _search_section(record, view),
        *_parameter_sections(view, _best(record), threshold),
        *_data_sections(record),
        *_contribution_sections(record),
        *_candidate_sections(record),
        *_failure_sections(record.trials),
        _settings_section(record),
    ]
    name = str(record.spec.metadata.get("name") or record.job_id)
    return Report(
        title=f"Calibration report: {name}",
        subtitle=f"{record.settings['model']} · scenario {record.settings['scenario']} · "
        f"engine {record.settings['sampler']['type']} · job {record.job_id}",
        sections=tuple(sections),
        footer=f"{record.job_id} · fingerprint {record.fingerprint[:16]} · "
        f"ModelOps {record.versions.get('modelops', '')}",
    )


def describe_table(table: pl.DataFrame, name: str, *, threshold: float = 0.0) -> Report:
    """The report of any table of trials. Nothing in it was confirmed, and it says so."""
    view = view_table(table)
    n_failed = len(view.loss) - view.n_finite
    sections = [
        Section("Overview", tuple(_table_overview(view, n_failed))),
        *(_table_search(view) if view.n_finite else ()),
        *_parameter_sections(view, None, threshold),
        *_failure_sections(table),
    ]
    return Report(
        title=f"Trials report: {name}",
        subtitle=f"{len(view.loss)} rows · {len(view.columns)} varied parameters",
        sections=tuple(sections),
        footer=name,
    )


def _best(record: CalibrationRecord) -> Candidate | None:
    return record.candidates[0] if record.candidates else None


# ---------------------------------------------------------------- verdict


def _verdict_section(record: CalibrationRecord) -> Section:
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
    best = _best(record)
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
                _with_se(best.objective, se),
                f"{unit}, {_replicates(record, best)}",
            ),
            Tile(
                "selection value",
                _rounded(best.selection.objective, se),
                f"best of {len(record.candidates)} candidates",
            ),
            Tile(
                "search value",
                _rounded(best.search.objective, se),
                f"trial {best.trial}",
            ),
            Tile("optimism", _rounded(best.optimism, se), "confirmed − search"),
            *work,
        )
    )


def _replicates(record: CalibrationRecord, best: Candidate) -> str:
    if record.settings["deterministic"]:
        return "deterministic: no sampling error"
    return f"{_count(len(best.seeds), 'fresh replicate')}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _findings_table(findings: Sequence[Finding]) -> Block:
    if not findings:
        return Text("No findings.", quiet=True)
    return Table(
        columns=("", "code", "what was found", "what to do"),
        rows=tuple((f.severity, f.code, _sentence(f.message), f.action) for f in findings),
        widths=(0.7, 1.5, 3.6, 2.4),
    )


def _sentence(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:397]}…"


# ---------------------------------------------------------------- estimates


def _estimate_sections(record: CalibrationRecord) -> Iterable[Section]:
    best = _best(record)
    if best is None:
        return
    rows = [_estimate_row(record, best, spec) for spec in record.settings["parameters"]]
    fixed = [(name, _show(value), "fixed", "") for name, value in record.settings["fixed"].items()]
    yield Section(
        "Estimates",
        (
            Table(
                columns=("parameter", "winner", "plausible set", "searched"),
                rows=(*rows, *fixed),
                widths=(2.0, 1.2, 2.0, 2.4),
                numeric=frozenset({1, 2, 3}),
            ),
            Text(_plausible_text(record), quiet=True),
        ),
    )


def _estimate_row(
    record: CalibrationRecord, best: Candidate, spec: Mapping[str, Any]
) -> tuple[str, ...]:
    name = spec["name"]
    values = [float(p[name]) for p in record.plausible]
    span = f"{_show(min(values))} – {_show(max(values))}" if len(values) > 1 else "one point"
    scale = spec.get("transform")
    note = f", {scale} scale" if isinstance(scale, str) and scale != "identity" else ""
    searched = f"{_show(spec['lower'])} – {_show(spec['upper'])}{note}"
    unit = f" [{spec['unit']}]" if spec.get("unit") else ""
    return f"{name}{unit}", _show(best.params[name]), span, searched


def _plausible_text(record: CalibrationRecord) -> str:
    n = len(record.plausible)
    many = f"{n} parameter set{'s' if n != 1 else ''}"
    if record.settings["objective_kind"] != "loglik":
        return (
            f"Plausible set: {many} that cannot be told from the winner (paired difference below "
            "2 SE). It is a range of points that were looked at, not a posterior."
        )
    source = "trials" if record.settings["deterministic"] else "rescored candidates"
    return (
        f"Plausible set: {many} among the {source} whose log-likelihood lies within 1.92 (plus "
        "2 SE) of the winner's. It is the range of points that were looked at and that "
        "a likelihood-ratio test would not reject; it is not a posterior."
    )


# ---------------------------------------------------------------- search and parameters


def _search_section(record: CalibrationRecord, view: TrialView) -> Section:
    candidates = record.candidates
    best = _best(record)
    result = (
        f" The winner is trial {best.trial}, confirmed at "
        f"{_with_se(best.objective, best.objective_se)}."
        if best
        else ""
    )
    chart = Chart(
        draw=partial(charts.search_history, view=view, candidates=candidates),
        height=3.5,
        alt=f"Objective of {len(view.loss)} trials in the order asked; {len(candidates)} were "
        f"simulated again with fresh seeds.{result}",
        caption=_search_caption(record),
    )
    return Section("Search history", (chart,))


def _search_caption(record: CalibrationRecord) -> str:
    if record.settings["deterministic"]:
        return "The model is deterministic: simulating it again confirms the value, exactly."
    return (
        "Search values are noisy, and the lowest of them are too good. Only the confirmed value "
        "is the result."
    )


def _parameter_sections(
    view: TrialView, best: Candidate | None, threshold: float
) -> Iterable[Section]:
    if not view.n_finite:
        return
    if view.columns:
        blocks = tuple(_panels(view, best, view.columns))
        yield Section("Each parameter against the objective", blocks)
    paired = _most_identifiable(view, threshold)
    yield Section("Pairs of parameters", tuple(_pairs(view, best, paired, threshold)))


def _most_identifiable(view: TrialView, threshold: float) -> list[Column]:
    """At most six columns of at least this identifiability, in the order of the model."""
    scores = identifiability(view)
    eligible = [i for i, score in enumerate(scores) if score >= threshold]
    chosen = sorted(eligible, key=lambda i: -scores[i])[:_MOST_PAIRED]
    return [view.columns[i] for i in sorted(chosen)]


def _panels(view: TrialView, best: Candidate | None, columns: Sequence[Column]) -> Iterable[Block]:
    for start in range(0, len(columns), _MOST_PANELS):
        chosen = columns[start : start + _MOST_PANELS]
        names = ", ".join(column.name for column in chosen)
        band = "; the band is the confirmed value ± 2 SE" if best else ""
        yield Chart(
            draw=partial(charts.parameter_panels, view=view, best=best, columns=chosen),
            height=charts.parameter_rows(len(chosen)),
            alt=f"{view.objective} against {names}, a dot per trial.",
            caption=f"A dot per trial, later ones darker{band}. The lower edge of such a cloud is "
            "optimistic under noise; it is no profile likelihood.",
        )


def _pairs(
    view: TrialView, best: Candidate | None, columns: Sequence[Column], threshold: float
) -> Iterable[Block]:
    if len(columns) < 2:
        limit = f" of identifiability {threshold:g} or more" if threshold else ""
        yield Text(f"Fewer than two varied parameters{limit}: there are no pairs.", quiet=True)
        return
    names = ", ".join(column.name for column in columns)
    n = len(columns) - 1
    yield Chart(
        draw=partial(charts.pair_panels, view=view, best=best, columns=columns),
        height=min(7.4, 0.6 + 1.9 * n) if n > 1 else 3.6,
        alt=f"Scatter of every pair of {names}, coloured by {view.objective}.",
        caption="The most identifiable parameters (good trials agree on them), darkest where the "
        f"objective is lowest{'; the diamond is the winner' if best else ''}.",
    )


# ---------------------------------------------------------------- data


def _data_sections(record: CalibrationRecord) -> Iterable[Section]:
    frames = [
        ("prior", charts.PRIOR, record.prior_fit),
        ("plausible set", charts.PLAUSIBLE, record.plausible_fit),
        ("winner", charts.WINNER, record.fit),
    ]
    present = [(name, colour, frame) for name, colour, frame in frames if frame is not None]
    notes = [Text(note, quiet=True) for note in record.notes]
    if not present:
        if notes:
            yield Section("Data against the ensembles", tuple(notes))
        return
    blocks: list[Block] = []
    for target in present[-1][2]["target"].unique(maintain_order=True).to_list():
        blocks.extend(_target_blocks(record, target, present))
    yield Section("Data against the ensembles", (*blocks, *notes))


def _target_blocks(
    record: CalibrationRecord, target: str, present: Sequence[tuple[str, str, pl.DataFrame]]
) -> Iterable[Block]:
    layers = [
        (name, colour, _of_target(frame, target))
        for name, colour, frame in present
        if target in frame["target"]
    ]
    rows = layers[-1][2]
    keys = _keys(rows)
    n_inside = int(rows["inside"].sum())
    caption = (
        f"{target}: {n_inside} of {rows.height} observations inside the 95 % predictive range of "
        f"the {layers[-1][0]}. Ranges include observation noise where the target has a noise "
        f"family. {_ensemble_text(record)}"
    )
    if len(keys) == 1 and _is_ordered(rows, keys[0]) and rows.height > 1:
        yield Chart(
            draw=partial(charts.series, key=keys[0], layers=layers, label=target),
            height=3.3,
            alt=f"Observed {target} along {keys[0]} over the predictive ranges of "
            f"{', '.join(name for name, _, _ in layers)}.",
            caption=caption,
        )
        return
    yield from _interval_blocks(target, layers, keys, caption)


def _interval_blocks(
    target: str, layers: Sequence[charts.Layer], keys: Sequence[str], caption: str
) -> Iterable[Block]:
    rows = layers[-1][2]
    most = 12
    if rows.height <= most:
        names = [_row_name(row, keys, target) for row in rows.iter_rows(named=True)]
        yield Chart(
            draw=partial(charts.intervals, names=names, layers=layers),
            height=0.5 + 0.72 * rows.height,
            alt=f"Observed values of {target} against predictive ranges: {', '.join(names)}.",
            caption=caption,
        )
        return
    outside = rows.filter(~rows["inside"])
    shown = outside.head(most) if outside.height else rows.head(most)
    yield Text(caption)
    yield Table(
        columns=("row", "observed", "2.5 %", "median", "97.5 %"),
        rows=tuple(
            (
                _row_name(row, keys, target),
                *(_show(row[c]) for c in ("observed", "q025", "q500", "q975")),
            )
            for row in shown.iter_rows(named=True)
        ),
        widths=(3, 1, 1, 1, 1),
        numeric=frozenset({1, 2, 3, 4}),
        caption="Rows outside the range." if outside.height else "The first rows.",
    )


def _ensemble_text(record: CalibrationRecord) -> str:
    sizes = [f"plausible set: {_count(len(record.plausible), 'parameter set')}"]
    best = _best(record)
    if best:
        sizes.append(f"winner: {_count(len(best.seeds), 'replicate')}")
    return f"({'; '.join(sizes)}.)"


def _of_target(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    rows = frame.filter(frame["target"] == target)
    return rows.select([c for c in rows.columns if rows[c].null_count() < rows.height])


def _keys(rows: pl.DataFrame) -> list[str]:
    values = {"target", "observed", "q025", "q500", "q975", "inside", "n_members"}
    return [c for c in rows.columns if c not in values]


def _is_ordered(rows: pl.DataFrame, key: str) -> bool:
    return rows.schema[key].is_numeric() or rows.schema[key].is_temporal()


def _row_name(row: Mapping[str, Any], keys: Sequence[str], target: str) -> str:
    return " · ".join(str(row[key]) for key in keys if row.get(key) is not None) or target


# ---------------------------------------------------------------- targets and candidates


def _contribution_sections(record: CalibrationRecord) -> Iterable[Section]:
    best = _best(record)
    if best is None or not best.scores:
        return
    scores = best.scores
    parts = [_part(score.kind, score.weight, score.value) for score in scores]
    kinds = {target["name"]: target for target in record.settings["targets"]}
    table = Table(
        columns=("target", "kind", "rows", "weight", "value", "part", "remarks"),
        rows=tuple(
            (
                score.target,
                str(kinds.get(score.target, {}).get("family") or score.kind),
                f"{score.n_observed}",
                f"{score.weight:g}",
                _show(score.value),
                _show(part),
                ", ".join(score.flags),
            )
            for score, part in zip(scores, parts, strict=True)
        ),
        widths=(2.0, 1.6, 0.7, 0.8, 1.2, 1.2, 1.5),
        numeric=frozenset({2, 3, 4, 5}),
        caption="Values of the confirmation. Likelihoods are joined within each replicate, so "
        "their parts need not add up to the objective.",
    )
    blocks: list[Block] = [table]
    if len(scores) > 1 and all(map(math.isfinite, parts)):
        names = [score.target for score in scores]
        objective = "negative log-likelihood" if best.evaluation.kind == "loglik" else "loss"
        blocks.append(
            Chart(
                draw=partial(charts.contributions, names=names, values=parts, objective=objective),
                height=0.8 + 0.34 * len(names),
                alt="Part of each target in the winner's objective: "
                + ", ".join(f"{n} {_show(v)}" for n, v in zip(names, parts, strict=True)),
            )
        )
    yield Section("What each target contributes", tuple(blocks))


def _part(kind: str, weight: float, value: float) -> float:
    if weight == 0:
        return 0.0
    return weight * (-value if kind == "loglik" else value)


def _candidate_sections(record: CalibrationRecord) -> Iterable[Section]:
    if not record.candidates:
        return
    free = [spec["name"] for spec in record.settings["parameters"]][:5]
    rows = tuple(_candidate_row(c, free) for c in record.candidates)
    yield Section(
        "Candidates that were simulated again",
        (
            Table(
                columns=("trial", *free, "search", "selection", "vs. winner", "alike"),
                rows=rows,
                widths=(0.7, *(1.0 for _ in free), 1.1, 1.6, 1.6, 0.7),
                numeric=frozenset(range(len(free) + 4)),
                caption="All with the same fresh seeds; ± 1 SE. Alike: the paired difference to "
                "the winner is below 2 SE.",
            ),
        ),
    )


def _candidate_row(candidate: Candidate, free: Sequence[str]) -> tuple[str, ...]:
    return (
        str(candidate.trial),
        *(_show(candidate.params[name]) for name in free),
        _show(candidate.search.objective),
        _with_se(candidate.selection.objective, candidate.selection.objective_se),
        _with_se(candidate.difference, candidate.difference_se),
        "yes" if candidate.indistinguishable else "",
    )


# ---------------------------------------------------------------- failures


def _failure_sections(trials: pl.DataFrame) -> Iterable[Section]:
    failed = [row for row in trials.iter_rows(named=True) if not _is_number(row["loss"])]
    if not failed:
        yield Section("Failures", (Text("No trial failed.", quiet=True),))
        return
    counts = Counter(_reason(row) for row in failed)
    summary = ", ".join(f"{reason} {n}" for reason, n in counts.most_common())
    shown = failed[:_MOST_FAILURES]
    rows = tuple(
        (
            str(row.get("trial", "")),
            _reason(row),
            _sentence(str(row.get("message") or "")),
            "" if row.get("seed0") is None else str(row["seed0"]),
        )
        for row in shown
    )
    more = f" The first {len(shown)} are listed." if len(failed) > len(shown) else ""
    yield Section(
        "Failures",
        (
            Text(f"{len(failed)} of {trials.height} trials have no finite objective: "
                 f"{summary}.{more}"),
            Table(
                columns=("trial", "reason", "first message", "seed"),
                rows=rows,
                widths=(0.6, 1.5, 4.5, 1.2),
                numeric=frozenset({0, 3}),
            ),
        ),
    )  # fmt: skip


def _reason(row: Mapping[str, Any]) -> str:
    given = row.get("reason")
    if given:
        return str(given)
    loss = row["loss"]
    return "no value" if loss is None else f"loss {loss}"


def _is_number(value: Any) -> bool:
    try:
        return value is not None and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


# ---------------------------------------------------------------- settings


def _settings_section(record: CalibrationRecord) -> Section:
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
        f"top {rescore['top_k']} with {_count(rescore['n_replicates'], 'fresh replicate')}, "
        f"the winner confirmed with {_count(rescore['confirm'], 'other')}"
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
    best = _best(record)
    if best is None:
        return f"base seed {record.settings['seed']}"
    confirmed = ", ".join(str(seed) for seed in best.seeds[:3])
    more = ", …" if len(best.seeds) > 3 else ""
    return (
        f"base seed {record.settings['seed']}; confirmation: {confirmed}{more} "
        f"({_count(len(best.seeds), 'seed')}, not used before)"
    )


# ---------------------------------------------------------------- tables of trials


def _table_overview(view: TrialView, n_failed: int) -> Iterable[Block]:
    share = n_failed / len(view.loss)
    if not view.n_finite:
        yield Banner(FAIL, "No row has a finite loss; this is a report of the failures.")
    elif n_failed:
        yield Banner(FAIL if share > 0.2 else WARN, f"{n_failed} rows have no finite loss.")
    else:
        yield Banner(PASS, "Every row has a finite loss.")
    yield Tiles(
        (
            Tile("rows", f"{len(view.loss):,}"),
            Tile("failed", f"{n_failed:,}", f"{100 * share:.0f} %"),
            *_best_tile(view),
        )
    )
    yield from _best_table(view)
    if view.constant:
        constant = ", ".join(f"{k} = {_show(v)}" for k, v in view.constant.items())
        yield Text(f"Constant in this table: {constant}.", quiet=True)


def _best_tile(view: TrialView) -> Iterable[Tile]:
    if view.best is not None:
        yield Tile("lowest loss", _show(view.loss[view.best]), f"row {view.best}, not confirmed")


def _best_table(view: TrialView) -> Iterable[Block]:
    if view.best is None or not view.columns:
        return
    yield Table(
        columns=("parameter", "in the row with the lowest loss", "range in this table"),
        rows=tuple(
            (c.name, _show(c.values[view.best]), f"{_show(c.lower)} – {_show(c.upper)}")
            for c in view.columns
        ),
        widths=(1.5, 2, 2),
        numeric=frozenset({1}),
    )
    yield Text(
        "The lowest of many noisy values is optimistic. Nothing in this table was simulated again "
        "with fresh seeds, so its lowest loss is no result.",
        quiet=True,
    )


def _table_search(view: TrialView) -> Iterable[Section]:
    chart = Chart(
        draw=partial(charts.search_history, view=view, candidates=()),
        height=3.3,
        alt=f"Loss of {len(view.loss)} rows in the order of the table.",
    )
    yield Section("Losses in the order of the table", (chart,))


# ---------------------------------------------------------------- numbers as text


def _show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value}"
    number = float(value)
    if not math.isfinite(number):
        return {math.inf: "∞", -math.inf: "−∞"}.get(number, "")
    return f"{number:.5g}".replace("-", "−")


#: Standard errors below this are rounding, not noise.
_NO_ERROR = 1e-9


def _with_se(value: float, se: float) -> str:
    """A value with as many decimals as its standard error deserves."""
    if not math.isfinite(value) or math.isnan(se) or se < _NO_ERROR:
        return _rounded(value, se)
    return f"{_rounded(value, se)} ± {se:.{_decimals(se)}f}"


def _rounded(value: float, se: float) -> str:
    if not math.isfinite(value):
        return _show(value)
    if math.isnan(se) or se < _NO_ERROR:
        return f"{value:.6g}".replace("-", "−")
    return f"{value:.{_decimals(se)}f}".replace("-", "−")


def _decimals(se: float) -> int:
    return min(6, max(0, 1 - math.floor(math.log10(se))))
