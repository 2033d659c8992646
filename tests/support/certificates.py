"""Certificates that nobody but a test trusts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.testbed import skip_or_fail


def make_certificate(folder: Path, name: str, *, days: int = 2) -> tuple[Path, Path]:
    """Return the files of a certificate for a name, signed by itself, and of its key."""
    if shutil.which("openssl") is None:
        skip_or_fail("there is no openssl here")
    folder.mkdir(exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days),
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", key, "-out", certificate],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return certificate, key
