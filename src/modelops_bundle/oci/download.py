"""Receiving one blob from a registry, over as many connections as it takes."""

from __future__ import annotations

import io
from typing import Any

from urllib3.exceptions import HTTPError

from modelops_bundle.oci.answers import Answer
from modelops_bundle.oci.connections import BLOCK
from modelops_bundle.oci.http import RegistryHttp
from modelops_contracts.errors import IntegrityError


class BlobReader(io.RawIOBase):
    """The bytes of a blob; asks for the rest when a connection breaks."""

    def __init__(self, client: RegistryHttp, place: str, digest: str, offset: int) -> None:
        super().__init__()
        self._http = client
        self._place = place
        self._what = (
            f"{place.split('/blobs/', maxsplit=1)[0].removeprefix('/v2/')}: blob {digest[:19]}"
        )
        self._offset = offset
        self._failures = 0
        self._answer = self._open()

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, none at the end."""
        while True:
            try:
                data = self._answer.raw.read(size if size >= 0 else None, decode_content=False)
            except (HTTPError, OSError) as error:
                self._answer.raw.close()
                self._failures += 1
                self._http.pause(self._failures, self._http.broken(self._what, error))
                self._answer = self._open()
                continue
            if data:
                self._failures = 0
                self._offset += len(data)
                self._http.moved()
            else:
                self._answer.raw.release_conn()
            return bytes(data)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give the connection up: what was not read is not wanted."""
        if not self.closed:
            self._answer.raw.close()
        super().close()

    def _open(self) -> Answer:
        headers = {"Range": f"bytes={self._offset}-"} if self._offset else {}
        answer = self._http.request(
            "GET", self._place, self._what, expect={200, 206, 416}, headers=headers, stream=True
        )
        if answer.status == 416:
            raise IntegrityError(f"{self._http.host}: {self._what} ends before {self._offset}")
        if answer.status == 206:
            self._check_range(answer)
        else:
            self._skip(answer)
        return answer

    def _check_range(self, answer: Answer) -> None:
        text = answer.headers.get("Content-Range", "")
        if not text.startswith(f"bytes {self._offset}-"):
            answer.raw.close()
            raise IntegrityError(
                f"{self._http.host}: {self._what}: asked for the bytes from {self._offset} on, "
                f"given {text or 'others'}",
                hint="do it again; if that does not help, a proxy on the way may change answers",
            )

    def _skip(self, answer: Answer) -> None:
        """Read over what is there already: the registry sends everything again."""
        left = self._offset
        while left:
            try:
                data = answer.raw.read(min(BLOCK, left), decode_content=False)
            except (HTTPError, OSError) as error:
                raise self._http.broken(self._what, error) from error
            if not data:
                raise IntegrityError(f"{self._http.host}: {self._what} ends before {self._offset}")
            left -= len(data)
            self._http.moved()
