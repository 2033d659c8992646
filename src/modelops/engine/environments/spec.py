"""Which interpreter runs a project's models, and under which digest results are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["EnvironmentSpec", "import_roots"]


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """``python`` runs the models; ``digest`` names interpreter, platform and dependencies.

    ``kind`` is ``direct`` (an environment that is there already) or ``isolated`` (one that is
    built for the project from ``requirements``). ``ready`` is False while an isolated one has
    not been built; its digest is provisional until then. ``wire`` names the module with the wire
    functions when it is not the one that the environment registers.
    """

    kind: str
    python: Path
    digest: str
    detail: str = ""
    ready: bool = True
    build_key: str = ""
    requirements: tuple[str, ...] = ()
    lock: Path | None = None
    wire: str | None = None
    versions: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def import_roots(root: Path) -> tuple[str, ...]:
    """Directories the author's modules are imported from: ``src`` if it is no package, the root."""
    source = root / "src"
    if source.is_dir() and not (source / "__init__.py").exists():
        return (str(source), str(root))
    return (str(root),)
