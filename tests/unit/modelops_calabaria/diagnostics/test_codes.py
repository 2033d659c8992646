"""The page on what a calibration reports lists every code there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from modelops_calabaria.diagnostics import gates

PAGE = Path(__file__).resolve().parents[4] / "docs/explanation/what-a-calibration-reports.md"


def test_the_page_lists_the_codes_of_the_gates() -> None:
    modules = sorted(Path(str(gates.__file__)).parent.glob("*.py"))
    source = "".join(module.read_text(encoding="utf-8") for module in modules)
    raised = set(re.findall(r'Finding\(\s*"([A-Z_]+)"', source))
    listed = set(re.findall(r"^\| ([A-Z_]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert raised == listed
    assert len(raised) == 17
