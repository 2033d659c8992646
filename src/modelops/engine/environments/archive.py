"""The guest as one file that any Python >= 3.9 can start."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import modelops_runner
from modelops_contracts.atomic import write_atomically

__all__ = ["build_archive", "ensure_archive"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAIN = b"import sys\nfrom modelops_runner.__main__ import main\nsys.exit(main())\n"


def ensure_archive(folder: Path) -> Path:
    """The archive of the installed runner in ``folder``, built when its digest is not there."""
    data = build_archive()
    path = folder / f"runner-{hashlib.sha256(data).hexdigest()[:16]}.pyz"
    if not path.exists():
        write_atomically(path, data)
    return path


def build_archive() -> bytes:
    """The same bytes for the same sources, whenever and wherever it is built."""
    package = Path(modelops_runner.__file__).parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _EPOCH), _MAIN)
        for path in sorted(package.glob("*.py")):
            archive.writestr(
                zipfile.ZipInfo(f"modelops_runner/{path.name}", _EPOCH), path.read_bytes()
            )
    return buffer.getvalue()
