"""Where our own files live. Nothing here creates a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROJECT_FOLDER", "Paths"]

#: Folder of a project that holds what we derive for it; never part of a bundle.
PROJECT_FOLDER = ".modelops"


@dataclass(frozen=True, slots=True)
class Paths:
    """Locations below ``home`` (``~/.modelops``, or wherever MODELOPS_HOME points).

    ``bundles`` is where trees of bundles are cached, when that is elsewhere
    (MODELOPS_BUNDLES_CACHE_DIR).
    """

    home: Path
    bundles: Path | None = None

    @property
    def config_file(self) -> Path:
        return self.home / "config.yaml"

    @property
    def receipt(self) -> Path:
        """What install.sh wrote down about the installation."""
        return self.home / "install.json"

    @property
    def environments(self) -> Path:
        """Environment files, one per name."""
        return self.home / "environments"

    @property
    def older_environments(self) -> Path:
        """Environment files of the existing suite: read, never written."""
        return self.home / "bundle-env"

    @property
    def artifacts(self) -> Path:
        """OCI layout directories of pushed bundles, one per repository."""
        return self.home / "artifacts"

    @property
    def bundle_cache(self) -> Path:
        """Verified read-only trees of bundles."""
        return self.bundles or self.home / "cache" / "bundles"

    @property
    def env_cache(self) -> Path:
        """Python environments that were built for bundles."""
        return self.home / "cache" / "environments"

    @property
    def runner_cache(self) -> Path:
        """The guest that runs simulations, packed once per version."""
        return self.home / "cache" / "runner"

    @property
    def descriptions(self) -> Path:
        """What models and targets said about themselves, by digest of code and environment."""
        return self.home / "cache" / "descriptions"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @staticmethod
    def project_results(project_root: Path) -> Path:
        """The results store of a project."""
        return project_root / PROJECT_FOLDER / "results"
