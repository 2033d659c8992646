"""The result of a calibration as its user holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops_calabaria.diagnostics.report import write_record_report
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate
from modelops_contracts.errors import InvalidInput
from modelops_contracts.study import ParameterSetEntry, SimulationStudy

__all__ = ["CalibrationResult", "Candidate"]


@dataclass(frozen=True, slots=True)
class CalibrationResult(CalibrationRecord):
    """A :class:`CalibrationRecord` that can save itself, report, and be simulated further."""

    def save(self, directory: str | Path, *, reports: bool = True) -> Path:
        """Write all files of a result, the two reports included unless told otherwise."""
        folder = self.save_data(directory)
        if reports:
            for kind in ("html", "pdf"):
                write_record_report(self, folder / f"report.{kind}", format=kind)
        return folder

    def report(self, path: str | Path) -> Path:
        """Write the report; ``path`` ends in ``.html`` or ``.pdf``."""
        target = Path(path)
        kind = target.suffix.lstrip(".").lower()
        if kind not in {"html", "pdf"}:
            raise InvalidInput(f"{target}: a report is written as .html or .pdf")
        return write_record_report(self, target, format=kind)

    def to_study(
        self, n_replicates: int, scenario: str = "baseline", top: int = 1
    ) -> SimulationStudy:
        """A study of the ``top`` best candidates, ``n_replicates`` each, in any scenario."""
        if top < 1 or n_replicates < 1:
            raise InvalidInput("to_study needs top >= 1 and n_replicates >= 1")
        chosen = (self.best, *self.candidates[1:top])
        metadata: Mapping[str, Any] = {
            "model_class": self.settings["model"],
            "config": dict(self.settings["config"]),
            "calibration": {"job_id": self.job_id, "fingerprint": self.fingerprint},
        }
        return SimulationStudy(
            model=self.spec.model,
            scenario=scenario,
            parameter_sets=tuple(ParameterSetEntry(c.params) for c in chosen),
            sampling_method="calibrated",
            n_replicates=n_replicates,
            outputs=self.spec.outputs,
            metadata=metadata,
        )
