"""Where things are in a results store. Pure: names in, names out.

format.json
sims/<code>/<output>/<segment>-<part>.parquet    rows of many simulations, one schema per part
sims/<code>/index/<segment>.parquet              one row per simulation; makes the segment visible
evals/<target>/<segment>.parquet                 one row per evaluation and target
jobs/<job>/                                      owned by the jobs package
"""

from __future__ import annotations

import re
from urllib.parse import quote

__all__ = [
    "FORMAT",
    "FORMAT_FILE",
    "KEY_COLUMNS",
    "PART_COLUMNS",
    "eval_folder",
    "index_folder",
    "own_name",
    "part_path",
    "segment_of",
    "short_digest",
    "sims_folder",
    "stored_name",
]

FORMAT = 1
FORMAT_FILE = "format.json"

#: Columns that the store adds in front of an output's own.
KEY_COLUMNS = ("sim_key", "param_id", "replicate", "seed")
#: Those of them that stand in the parts. A key of 64 digits per simulation would cost as much as
#: a small table; the index has it, with the rows it belongs to.
PART_COLUMNS = KEY_COLUMNS[1:]

_OWN = "__own"
_KEY_LIKE = re.compile(rf"({'|'.join(KEY_COLUMNS)})({_OWN})*")


def short_digest(digest: str) -> str:
    """The first 16 hex digits of a digest, with or without an algorithm in front."""
    return digest.rpartition(":")[2][:16]


def sims_folder(code_digest: str) -> str:
    return f"sims/{short_digest(code_digest)}"


def index_folder(code_digest: str) -> str:
    # An output may be called "index": its folder is quoted differently, see part_path.
    return f"{sims_folder(code_digest)}/index"


def part_path(code_digest: str, output: str, segment: str, part: int) -> str:
    """File of one part; output names of any spelling are percent-encoded."""
    folder = quote(output, safe="")
    if folder in {"index", ".", ".."}:
        folder = "".join(f"%{ord(character):02X}" for character in folder)
    return f"{sims_folder(code_digest)}/{folder}/{segment}-{part}.parquet"


def eval_folder(target_digest: str) -> str:
    return f"evals/{short_digest(target_digest)}"


def segment_of(path: str) -> str:
    """The segment's name in the path of an index or evaluation file."""
    return path.rpartition("/")[2].removesuffix(".parquet")


def stored_name(column: str) -> str:
    """Column name in the store of an output's own column: never one of the store's key columns."""
    return f"{column}{_OWN}" if _KEY_LIKE.fullmatch(column) else column


def own_name(column: str) -> str:
    """The inverse of :func:`stored_name`."""
    return column.removesuffix(_OWN) if _KEY_LIKE.fullmatch(column) else column
