"""The models of a bundle, as they were when it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelops_contracts.digests import is_hex64
from modelops_contracts.errors import InvalidValue, MissingKey, nearest
from modelops_contracts.frozen import FrozenValue, read_only
from modelops_contracts.registry import ModelEntry

__all__ = ["BundleManifest", "ModelEntry"]

_REFERENCE = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class BundleManifest(FrozenValue):
    """Reference, digest (64 hex, without prefix) and models by id. Never empty."""

    bundle_ref: str
    bundle_digest: str
    models: Mapping[str, ModelEntry] = field(hash=False)
    version: int = 1

    def __post_init__(self) -> None:
        if not _REFERENCE.fullmatch(self.bundle_ref or ""):
            raise InvalidValue("bundle_ref must be non-empty and without spaces")
        if not is_hex64(self.bundle_digest):
            raise InvalidValue(
                f"bundle_digest must be 64 lower-case hex digits, not {self.bundle_digest!r}"
            )
        if not self.models:
            raise InvalidValue("a manifest needs at least one model")
        if self.version != 1:
            raise InvalidValue(f"version {self.version} of a manifest is not known; known: 1")
        object.__setattr__(self, "models", read_only(self.models))

    def get_model_by_entrypoint(self, entrypoint: str) -> ModelEntry:
        """The model of ``module:Class``, ``module.Class`` or ``module.Class/scenario``.

        Raises NotFound (a KeyError) naming the nearest.
        """
        wanted = _import_path(entrypoint)
        known = {_import_path(model.entrypoint): model for model in self.models.values()}
        if wanted not in known:
            close = nearest(wanted, known)
            raise MissingKey(
                f"Model {entrypoint} not found in bundle {self.bundle_ref}",
                hint=f"did you mean {' or '.join(close)}?" if close else None,
            )
        return known[wanted]

    def list_all_entrypoints(self) -> list[str]:
        """``module.Class/scenario`` for every scenario of every model, sorted."""
        return sorted(
            f"{_import_path(model.entrypoint)}/{scenario}"
            for model in self.models.values()
            for scenario in model.scenarios
        )


def _import_path(entrypoint: str) -> str:
    return entrypoint.partition("/")[0].replace(":", ".")
