"""Write the stored schemas anew."""

from __future__ import annotations

from pathlib import Path

from modelops_contracts.atomic import write_atomically
from modelops_contracts.schemas import SCHEMAS, schema_text

for _cls, _name in SCHEMAS.items():
    write_atomically(Path(__file__).with_name(_name), schema_text(_cls))
