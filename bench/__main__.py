"""`make bench`: cached responses, the most expensive requests, ratios to version 1.0.1.

`python -m bench worst --entries 10000` measures one part, with fewer entries.
"""

import argparse
import os
import platform
from pathlib import Path

from bench import hot, previous, worst

PARTS = ("hot", "worst", "previous")


def main() -> None:
    """Measure the parts that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    parts = options.parts or PARTS
    if set(parts) - set(PARTS):
        parser.error(f"The parts are {', '.join(PARTS)}.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {_model()}")
    if "hot" in parts:
        hot.print_table()
    if "previous" in parts:
        previous.print_table()
    if "worst" in parts:
        worst.print_table("sqlite", options.entries)
        worst.print_table("postgresql", options.entries)


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    main()
