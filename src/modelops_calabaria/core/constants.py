"""Door: column names of aligned tables."""

from __future__ import annotations

from modelops_calabaria.constants import (
    DEFAULT_TARGET,
    LOSS_COL,
    REPLICATE_COL,
    SUFFIX_OBS,
    SUFFIX_SIM,
)
from modelops_calabaria.constants import INTERNAL_SEED_COL as SEED_COL

__all__ = ["DEFAULT_TARGET", "LOSS_COL", "REPLICATE_COL", "SEED_COL", "SUFFIX_OBS", "SUFFIX_SIM"]
