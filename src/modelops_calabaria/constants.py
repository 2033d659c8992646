"""Names of columns and outputs that are ours; authors cannot use them for something else."""

from __future__ import annotations

from typing import Final

__all__ = [
    "DEFAULT_TARGET",
    "INTERNAL_SEED_COL",
    "LOSS_COL",
    "METADATA_OUTPUT",
    "REPLICATE_COL",
    "SEED_COL",
    "SUFFIX_OBS",
    "SUFFIX_SIM",
]

#: Column added to every table a model returns: the seed the table was simulated with.
SEED_COL: Final = "seed"
#: Entry of a wire result that carries provenance; no output may have this name.
METADATA_OUTPUT: Final = "metadata"

#: Columns of aligned tables.
SUFFIX_OBS: Final = "__obs"
SUFFIX_SIM: Final = "__sim"
REPLICATE_COL: Final = "__replicate"
LOSS_COL: Final = "__loss"
#: ``core.constants.SEED_COL``; not the column of model outputs.
INTERNAL_SEED_COL: Final = "__seed"
DEFAULT_TARGET: Final = "__default_target"
