"""Tables that travel: inline bytes or a reference, always with size and checksum."""

from __future__ import annotations

from dataclasses import dataclass

from modelops_contracts.digests import digest_bytes, is_hex64
from modelops_contracts.errors import ContractViolationError, IntegrityError
from modelops_contracts.frozen import FrozenValue, is_count

__all__ = [
    "ARROW_FILE",
    "ARROW_STREAM",
    "INLINE_CAP",
    "ErrorInfo",
    "TableArtifact",
    "is_arrow_file",
]

#: Largest table, in bytes, that travels inside a message.
INLINE_CAP = 524288
ARROW_STREAM = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"


@dataclass(frozen=True, slots=True)
class TableArtifact(FrozenValue):
    """A table as bytes (``inline``) or as a place where they are (``ref``), never both.

    ``checksum`` is ``digest_bytes`` of the content. It is checked when content is read, not
    when the value is made, because a reference has no content at hand.
    """

    content_type: str = ARROW_STREAM
    size: int = 0
    inline: bytes | None = None
    ref: str | None = None
    checksum: str = ""

    def __post_init__(self) -> None:
        _check_checksum(self.checksum)
        if not is_count(self.size):
            raise ContractViolationError(f"size must be non-negative int, not {self.size!r}")
        if (self.inline is None) == (self.ref is None):
            raise ContractViolationError("Must provide exactly one of inline or ref")
        if self.inline is not None:
            _check_inline(self.inline, self.size)
            object.__setattr__(self, "inline", bytes(self.inline))
        elif not self.ref:
            raise ContractViolationError("ref must be non-empty when provided")

    @classmethod
    def of(cls, content: bytes, content_type: str | None = None) -> TableArtifact:
        """An inline artifact with size and checksum computed; the type is read off the content."""
        found = ARROW_FILE if is_arrow_file(content) else ARROW_STREAM
        return cls(
            content_type=content_type or found,
            size=len(content),
            inline=content,
            checksum=digest_bytes(content),
        )

    def verified(self, content: bytes | None = None) -> bytes:
        """The content (inline, or as fetched from ``ref``) after comparing size and checksum.

        Raises IntegrityError when it is not what was promised.
        """
        data = self.inline if content is None else content
        if data is None:
            raise ContractViolationError(f"the content of {self.ref} must be fetched first")
        if len(data) != self.size:
            raise IntegrityError(f"table has {len(data)} bytes, {self.size} were promised")
        if digest_bytes(data) != self.checksum:
            raise IntegrityError(f"table does not match its checksum {self.checksum}")
        return data


def is_arrow_file(content: bytes) -> bool:
    """True for the Arrow IPC file format, False for the stream format."""
    return content[:6] == b"ARROW1"


def _check_checksum(checksum: str) -> None:
    if not checksum:
        raise ContractViolationError("checksum is required")
    if not is_hex64(checksum):
        raise ContractViolationError("checksum must be 64-character hex string (lower case)")


def _check_inline(inline: bytes, size: int) -> None:
    if not isinstance(inline, bytes | bytearray | memoryview):
        raise ContractViolationError(f"inline must be bytes, not {type(inline).__name__}")
    if len(inline) != size:
        raise ContractViolationError(f"inline bytes length {len(inline)} doesn't match size {size}")
    if size > INLINE_CAP:
        raise ContractViolationError(
            f"inline artifacts must be <= {INLINE_CAP} bytes, this one has {size}",
            hint="store it and pass a ref",
        )


@dataclass(frozen=True, slots=True)
class ErrorInfo(FrozenValue):
    """An error as data: its type's name, its message, and whether another try may help."""

    error_type: str
    message: str
    retryable: bool = False
