"""What a calibration found, as values and as files: everything a report is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from modelops_calabaria.outcome.findings import Finding, worst_severity
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import InvalidInput, MissingFile
from modelops_contracts.frozen import decode_float, encode_float
from modelops_contracts.study import CalibrationSpec
from modelops_contracts.types import Evaluation, TargetScore

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CalibrationRecord", "Candidate", "read_candidates"]

RECORD_VERSION = 1
#: Ensembles that are compared with the data, each in the file ``<name>.parquet``.
ENSEMBLES = ("prior_fit", "fit", "plausible_fit")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that was simulated again.

    ``params`` are complete, ``calibrated`` the free ones among them. ``search``, ``selection``
    and ``confirmation`` are its evaluations; only the winner has a confirmation. ``difference``
    is its selection objective minus the winner's over the same seeds, with its standard error.
    """

    trial: int
    param_id: str
    params: Mapping[str, Any]
    calibrated: Mapping[str, Any]
    search: Evaluation
    selection: Evaluation
    confirmation: Evaluation | None = None
    difference: float = 0.0
    difference_se: float = math.nan
    indistinguishable: bool = False

    @property
    def evaluation(self) -> Evaluation:
        """The most trustworthy evaluation there is."""
        return self.confirmation or self.selection

    @property
    def objective(self) -> float:
        """Confirmed objective of the winner, selection objective of the others (minimised)."""
        return self.evaluation.objective

    @property
    def objective_se(self) -> float:
        """Standard error of ``objective``; NaN with one replicate."""
        return self.evaluation.objective_se

    @property
    def ess(self) -> float:
        """Effective number of replicates behind a log-mean-exp likelihood; NaN otherwise."""
        return self.evaluation.ess

    @property
    def scores(self) -> tuple[TargetScore, ...]:
        return self.evaluation.scores

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.evaluation.seeds

    @property
    def optimism(self) -> float:
        """By how much the search value flattered the winner: confirmed minus search."""
        return self.objective - self.search.objective

    def to_json(self) -> dict[str, Any]:
        return {
            "trial": self.trial,
            "param_id": self.param_id,
            "params": dict(self.params),
            "calibrated": dict(self.calibrated),
            "search": self.search.to_json(),
            "selection": self.selection.to_json(),
            "confirmation": None if self.confirmation is None else self.confirmation.to_json(),
            "difference": encode_float(self.difference),
            "difference_se": encode_float(self.difference_se),
            "indistinguishable": self.indistinguishable,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Candidate:
        confirmation = data["confirmation"]
        return cls(
            trial=data["trial"],
            param_id=data["param_id"],
            params=data["params"],
            calibrated=data["calibrated"],
            search=Evaluation.from_json(data["search"]),
            selection=Evaluation.from_json(data["selection"]),
            confirmation=None if confirmation is None else Evaluation.from_json(confirmation),
            difference=decode_float(data["difference"]),
            difference_se=decode_float(data["difference_se"]),
            indistinguishable=data["indistinguishable"],
        )


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """The outcome of a calibration.

    ``trials`` has a row per trial in ask order (columns: trial, param_id, status, reason, message,
    loss, loss_se, ess, n_replicates, ``param_<name>``, ``target_<name>``, seed0, seconds, reused,
    traceback). ``candidates`` are those simulated again, the winner first; they are empty when no
    trial had a finite objective, and ``failure`` then says so. ``settings`` are plain JSON.
    ``fit``, ``plausible_fit`` and ``prior_fit`` hold, per observed row, the target, its keys,
    observed, q025, q500, q975, inside.
    """

    spec: CalibrationSpec
    job_id: str
    settings: Mapping[str, Any]
    trials: pl.DataFrame
    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]
    stop_reason: str
    fingerprint: str
    fingerprint_fields: Mapping[str, Any]
    n_simulations: int
    versions: Mapping[str, str]
    plausible: tuple[Mapping[str, Any], ...] = ()
    prior_fit: pl.DataFrame | None = None
    fit: pl.DataFrame | None = None
    plausible_fit: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    failure: str | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def best(self) -> Candidate:
        """The winner, with its confirmed evaluation. Raises InvalidInput when there is none."""
        if not self.candidates:
            raise InvalidInput(self.failure or "this calibration has no result")
        return self.candidates[0]

    @property
    def indistinguishable(self) -> tuple[Candidate, ...]:
        """Candidates, the winner aside, that cannot be told from it."""
        return tuple(c for c in self.candidates[1:] if c.indistinguishable)

    @property
    def verdict(self) -> str:
        """PASS, WARN or FAIL: the worst of the findings."""
        return worst_severity(self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The summary that is written to ``summary.json``."""
        return _summary(self)

    def save_data(self, directory: str | Path) -> Path:
        """Write every file but the reports; each is replaced whole."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ENSEMBLES:
            _write_frame(folder / f"{name}.parquet", getattr(self, name))
        _write_frame(folder / "trials.parquet", self.trials)
        _write_frame(folder / "candidates.parquet", _candidate_frame(self.candidates))
        _write_json(folder / "findings.json", [finding.to_json() for finding in self.findings])
        _write_json(folder / "result.json", _to_json(self))
        _write_json(folder / "summary.json", self.as_dict())
        return folder

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what was saved. Raises NotFound when the directory holds no result."""
        folder = Path(directory)
        data = _read_json(folder / "result.json")
        frames = {name: _read_frame(folder / f"{name}.parquet") for name in ENSEMBLES}
        trials = _read_frame(folder / "trials.parquet")
        if trials is None:
            raise MissingFile(f"{folder / 'trials.parquet'} is missing")
        findings = _read_json(folder / "findings.json")
        return cls(
            spec=CalibrationSpec.from_dict(data["spec"]),
            job_id=data["job_id"],
            settings=data["settings"],
            trials=trials,
            candidates=tuple(Candidate.from_json(item) for item in data["candidates"]),
            findings=tuple(Finding.from_json(item) for item in findings),
            stop_reason=data["stop_reason"],
            fingerprint=data["fingerprint"],
            fingerprint_fields=data["fingerprint_fields"],
            n_simulations=data["n_simulations"],
            versions=data["versions"],
            plausible=tuple(data["plausible"]),
            notes=tuple(data["notes"]),
            failure=data["failure"],
            seconds=data["seconds"],
            **frames,
        )


def read_candidates(path: str | Path) -> list[dict[str, Any]]:
    """Parameters of an earlier result's candidates, best first.

    ``path`` is a results directory or its ``result.json``. Raises NotFound, InvalidInput.
    """
    source = Path(path)
    data = _read_json(source if source.suffix == ".json" else source / "result.json")
    return [dict(item["params"]) for item in data["candidates"]]


# ---------------------------------------------------------------- files


def _to_json(record: CalibrationRecord) -> dict[str, Any]:
    return {
        "version": RECORD_VERSION,
        "job_id": record.job_id,
        "spec": record.spec.to_dict(),
        "settings": dict(record.settings),
        "candidates": [candidate.to_json() for candidate in record.candidates],
        "plausible": [dict(values) for values in record.plausible],
        "stop_reason": record.stop_reason,
        "fingerprint": record.fingerprint,
        "fingerprint_fields": dict(record.fingerprint_fields),
        "n_simulations": record.n_simulations,
        "versions": dict(record.versions),
        "notes": list(record.notes),
        "failure": record.failure,
        "seconds": record.seconds,
    }


def _summary(record: CalibrationRecord) -> dict[str, Any]:
    best = record.candidates[0] if record.candidates else None
    n_completed = record.trials.filter(record.trials["status"] == "completed").height
    best_params = dict(best.calibrated) if best else {}
    return {
        "job_id": record.job_id,
        "algorithm": record.spec.algorithm,
        "best_params": best_params,
        "summary": {
            "study_name": f"study_{record.job_id}",
            "n_trials": record.trials.height,
            "n_completed": n_completed,
            "n_failed": record.trials.height - n_completed,
            "n_pruned": 0,
            "best_value": _finite(best.objective) if best else None,
            "best_params": best_params,
        },
        "all_params": dict(best.params) if best else {},
        "objective_se": _finite(best.objective_se) if best else None,
        "search_value": _finite(best.search.objective) if best else None,
        "selection_value": _finite(best.selection.objective) if best else None,
        "optimism": _finite(best.optimism) if best else None,
        "verdict": record.verdict,
        "findings": [finding.code for finding in record.findings],
        "stop_reason": record.stop_reason,
        "failure": record.failure,
        "fingerprint": record.fingerprint,
        "n_simulations": record.n_simulations,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _candidate_frame(candidates: tuple[Candidate, ...]) -> pl.DataFrame:
    import polars as pl

    rows = [_candidate_row(rank, candidate) for rank, candidate in enumerate(candidates)]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame({"rank": []})


def _candidate_row(rank: int, candidate: Candidate) -> dict[str, Any]:
    confirmation = candidate.confirmation
    return {
        "rank": rank,
        "trial": candidate.trial,
        "param_id": candidate.param_id,
        **{f"param_{name}": value for name, value in candidate.params.items()},
        "search": candidate.search.objective,
        "search_se": candidate.search.objective_se,
        "selection": candidate.selection.objective,
        "selection_se": candidate.selection.objective_se,
        "confirmed": None if confirmation is None else confirmation.objective,
        "confirmed_se": None if confirmation is None else confirmation.objective_se,
        "ess": candidate.ess,
        "difference": candidate.difference,
        "difference_se": candidate.difference_se,
        "indistinguishable": candidate.indistinguishable,
        "reason": candidate.evaluation.reason,
    }


def _write_frame(path: Path, frame: pl.DataFrame | None) -> None:
    if frame is None:
        path.unlink(missing_ok=True)
        return
    buffer = BytesIO()
    frame.write_parquet(buffer)
    write_atomically(path, buffer.getvalue())


def _read_frame(path: Path) -> pl.DataFrame | None:
    import polars as pl

    return pl.read_parquet(path) if path.exists() else None


def _write_json(path: Path, data: Any) -> None:
    write_atomically(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise MissingFile(
            f"{path} is missing", hint="a calibration's results directory holds result.json"
        ) from None
    except ValueError as error:
        raise InvalidInput(f"{path}: not JSON ({error})") from error
