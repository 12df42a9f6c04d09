"""`make bench`: processor time beside what people would use instead.

`python -m bench worst --entries 10000` measures the most expensive requests.
"""

import argparse

from bench.compare import compare
from bench.report import write_report
from bench.worst import print_table


def main() -> None:
    """Compare servers, or measure the most expensive requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=["worst"])
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    if options.part:
        print_table("sqlite", options.entries)
        print_table("postgresql", options.entries)
    else:
        print(write_report(compare()))


if __name__ == "__main__":
    main()
