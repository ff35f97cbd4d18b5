"""All figures on speed, one module after another: `python -m benchmarks [--rounds N] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import Tables, show

MODULES = ("forward", "evidence", "growth", "whole")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the tables there")
    options = parser.parse_args()
    tables: Tables = {}
    # As `app.py` sets them.
    same_as_served = {
        "OPENBLAS_NUM_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1",
    }
    environment = {**same_as_served, **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for module in MODULES:
        # A process each, so that none is slowed by what another left in memory.
        with tempfile.TemporaryFile("w+") as output:
            command = [sys.executable, "-m", f"benchmarks.{module}", "--rounds", str(options.rounds), "--json"]
            ended = subprocess.run(command, stdout=output, check=False, env=environment)
            if ended.returncode:
                return ended.returncode
            output.seek(0)
            found: Tables = json.load(output)
        show(found)
        sys.stdout.flush()
        tables.update(found)
    if options.json:
        machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        options.json.write_text(json.dumps({"machine": machine, "tables": tables}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
