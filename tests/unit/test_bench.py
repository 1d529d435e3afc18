"""The bench can be loaded: it is nobody's import, so nothing else would notice."""

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "script" / "bench"


def test_the_bench_explains_itself() -> None:
    """It once named parts of the stand-ins that had been moved, and nobody saw it."""
    done = subprocess.run(
        [sys.executable, str(BENCH), "relay", "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout
