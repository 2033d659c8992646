"""What code of the model's and the targets' authors raises is data, not the end of a run."""

from __future__ import annotations

import traceback
from types import TracebackType

from modelops_contracts.errors import ModelOpsError

__all__ = ["AuthorsCode"]


class AuthorsCode:
    """A block in which an exception is the author's: it ends the block and is kept.

    ``error`` is the exception (also that of ``sys.exit``) or None, ``traceback`` its text.
    KeyboardInterrupt passes, and with ``ours_pass`` also what this package says of misuse.
    """

    def __init__(self, *, ours_pass: bool = False) -> None:
        self.error: Exception | SystemExit | None = None
        self.traceback = ""
        self._ours_pass = ours_pass

    def __enter__(self) -> AuthorsCode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception | SystemExit):
            return False
        if self._ours_pass and isinstance(error, ModelOpsError):
            return False
        self.error = error
        self.traceback = "".join(traceback.format_exception(error))
        return True
