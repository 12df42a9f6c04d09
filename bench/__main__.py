"""`make bench`: processor time beside what people would use instead.

`python -m bench worst --database postgresql --part 1/4` measures the first quarter of
the most expensive requests on one of the databases.
"""

import argparse

from bench.compare import compare
from bench.report import write_report
from bench.worst import print_rows, print_table

DATABASES = ("sqlite", "postgresql")


def main() -> None:
    """Compare servers, or measure the most expensive requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", nargs="?", choices=["worst", "rows"])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument(
        "--database", choices=DATABASES, action="append", dest="databases"
    )
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--url")
    parser.add_argument("--server", type=int)
    options = parser.parse_args()
    if options.action == "worst":
        for kind in options.databases or DATABASES:
            print_table(kind, options.entries, options.part)
    elif options.action == "rows":
        print_rows(options.url, options.server or None, options.part)
    else:
        print(write_report(compare()))


if __name__ == "__main__":
    main()
