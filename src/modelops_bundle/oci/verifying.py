"""Bytes on their way in and out of a store, and what it means that they are others."""

from __future__ import annotations

import hashlib
import io
from typing import Any, BinaryIO

from modelops_contracts.errors import IntegrityError


class OtherBytes(IntegrityError):  # noqa: N818  (named as its parent)
    """What was given to be stored has another digest than was said."""


class VerifyingReader(io.RawIOBase):
    """Passes bytes on and checks their digest when the end is reached."""

    def __init__(self, stream: BinaryIO, digest: str, *, hint: str | None = None) -> None:
        super().__init__()
        self._stream = stream
        self._hint = hint
        self._digest = digest
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; `IntegrityError` at the end of damaged bytes."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._hash.update(data)
        if not data and len(buffer) and f"sha256:{self._hash.hexdigest()}" != self._digest:
            raise IntegrityError(
                f"blob {self._digest} is damaged: its bytes hash to sha256:"
                f"{self._hash.hexdigest()}",
                hint=self._hint,
            )
        return len(data)

    def close(self) -> None:
        """Close the stream underneath as well."""
        if not self.closed:
            self._stream.close()
        super().close()
