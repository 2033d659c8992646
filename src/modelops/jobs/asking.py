"""One process of the project's own environment, for what has to be known before a job exists."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from modelops import wiring
from modelops.config.model import Config

if TYPE_CHECKING:
    from modelops.engine.environments.spec import EnvironmentSpec
    from modelops.engine.service import EngineService

__all__ = ["AskedEngine"]


class AskedEngine:
    """An engine of one process that starts with the first question and ends with the block."""

    def __init__(
        self,
        config: Config,
        root: Path,
        environment: EnvironmentSpec,
        *,
        timeout: float | None = None,
    ) -> None:
        self.environment = environment
        self._config, self._root, self._timeout = config, root, timeout
        self._opened = contextlib.ExitStack()
        self._engine: EngineService | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def get(self) -> EngineService:
        """Raises Unavailable when the environment does not start."""
        if self._engine is None:
            logs = tempfile.TemporaryDirectory(prefix="modelops-ask-")
            opened = wiring.open_engine(
                root=self._root,
                environment=self.environment,
                log_dir=Path(self._opened.enter_context(logs)),
                workers=1,
                timeout=self._timeout,
                cache_dir=self._config.paths.runner_cache,
            )
            self._engine = self._opened.enter_context(opened)
        return self._engine
