"""Run every benchmark of this folder in a process of its own, one after the other.

    python benchmarks/run_all.py [NAME ...]

Prints the table of each. Exit code 1 when one of them is above a goal or breaks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    known = {
        path.stem: path
        for path in sorted(FOLDER.glob("*.py"))
        if not path.stem.startswith("_") and path.name != Path(__file__).name
    }
    chosen = sys.argv[1:] or list(known)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = [name for name in chosen if run(known[name]) != 0]
    print(f"\n{len(chosen) - len(failed)} of {len(chosen)} benchmarks reached their goals", end="")
    print(f"; not: {', '.join(failed)}" if failed else "")
    return 1 if failed else 0


def run(script: Path) -> int:
    print(f"\n== {script.stem}", flush=True)
    return subprocess.run([sys.executable, script], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
