"""The commands `import` and `export`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import chain
from typing import IO
from urllib.parse import urlsplit

import click
from flask.cli import with_appcontext

from feedsvc.cli.output import help_epilog, printable, progress_bar, write_error
from feedsvc.errors import FeedsvcError
from feedsvc.feed_query import KINDS
from feedsvc.formats.common import iri_to_uri
from feedsvc.models import Site
from feedsvc.services import current_services, current_storage

_DUMP_PREFIX = b'{"feedsvc":'
_COUNTERS = ("new", "changed", "unchanged", "skipped", "not overwritten")

_MAP_COMMENT = """\
# In nginx's http block: include this file; in the old site's server block:
#   if ($feedsvc_moved) { return 301 $feedsvc_moved; }
"""


@click.command(
    epilog=help_epilog("export everything.ndjson", "export --redirects links.map")
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--redirects",
    "is_redirects",
    is_flag=True,
    help="Write an nginx map from imported entries' links to their pages here.",
)
@with_appcontext
def export(file: str, is_redirects: bool) -> None:
    """Write everything but tokens into a new file, as NDJSON.

    FILE can be - for standard output.
    """
    storage = current_storage()
    with _create_file(file) as output:
        if not is_redirects:
            output.writelines(storage.dump())
            return
        with storage.reader() as reader:
            links = reader.entries.imported_links()
            output.write(nginx_redirects(links, current_services().site))


@contextmanager
def _create_file(file: str) -> Iterator[IO[str]]:
    """Create a file that only its owner can read; `-` is standard output.

    :raises click.ClickException: the file exists, or cannot be written.
    """
    if file == "-":
        output = TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        yield output
        output.detach()  # flush, but leave standard output open
        return
    try:
        # An export contains drafts.
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise click.FileError(file, error.strerror) from None
    try:
        with open(descriptor, "w", encoding="utf-8") as output:
            yield output
    except BaseException as error:
        # The beginning of an export would look like a whole one.
        os.unlink(file)
        if isinstance(error, OSError):
            raise write_error(file, error) from None
        raise


def nginx_redirects(links: Iterable[tuple[str, str]], site: Site) -> str:
    """Return a map of ngx_http_map_module from old links to pages here.

    :param links: URLs, and ids of their entries. If nginx cannot tell two URLs apart,
        the last one counts.
    """
    targets: dict[str, str] = {}
    for url, id in links:
        parts = urlsplit(iri_to_uri(url))
        # nginx would take it for a regular expression, which could match any link.
        host = parts.hostname or ""
        if host.startswith("~"):
            continue
        path = parts.path or "/"
        request_uri = f"{path}?{parts.query}" if parts.query else path
        targets[f"{host}{request_uri}".lower()] = site.permalink(id)
    # A bucket must have room for the longest key, and for what nginx adds to it.
    longest = max(map(len, targets), default=0) + 40
    bucket_size = 1 << max(6, longest.bit_length())
    lines = [
        f"map_hash_max_size {max(2048, 2 * len(targets))};\n",
        f"map_hash_bucket_size {bucket_size};\n",
        "map $host$request_uri $feedsvc_moved {\n",
        *(f'    "{old}" "{new}";\n' for old, new in targets.items()),
        "}\n",
    ]
    return _MAP_COMMENT + "".join(lines)


@click.command(
    "import",
    epilog=help_epilog("import old-feed.xml", "import old-feed.xml --kind events"),
)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Kind of all entries (default: events for calendars, news for others).",
)
@click.option(
    "--trusted", is_flag=True, help="Load an export of feedsvc without checks."
)
@with_appcontext
def import_(file: IO[bytes], kind: str | None, trusted: bool) -> None:
    """Import a feed, a calendar, a WordPress export, or an export of feedsvc.

    An export of feedsvc needs an empty database, and --trusted. FILE can be - for
    standard input.
    """
    # Read as a stream: an export may be larger than memory, other files must not be.
    first_line = file.readline()
    if first_line.startswith(_DUMP_PREFIX):
        # The site of a feed could send one, with scripts that no one sanitizes.
        if not trusted:
            raise FeedsvcError(
                "This is an export of feedsvc, which is not checked. "
                "If it is yours, add --trusted."
            )
        _import_dump(chain([first_line], file))
    else:
        _import_feed(first_line + file.read(), kind)


def _import_dump(lines: Iterable[bytes]) -> None:
    started_at = time.monotonic()
    with progress_bar(lines) as counted_lines:
        count = current_storage().load_dump(counted_lines)
    rate = count / (time.monotonic() - started_at)
    click.echo(f"{count} rows imported, {rate:.0f} a second.")


def _import_feed(data: bytes, kind: str | None) -> None:
    # Optional dependencies, and slow to import.
    try:
        from feedsvc.importers.importer import Importer, detect_kind, read
    except ModuleNotFoundError as error:
        raise FeedsvcError(
            f"`import` needs {error.name}: run `pip install feedsvc[importers]`."
        ) from None

    storage = current_storage()
    schema = current_services().schemas[kind or detect_kind(data)]
    entries = list(read(data, schema.site.timezone))
    importer = Importer(storage, schema)
    with progress_bar(length=len(entries)) as bar:
        for count in importer.run(entries):
            bar.update(count)
    for warning in importer.warnings:
        # Strangers wrote the titles in it.
        click.echo(printable(warning), err=True)
    click.echo(", ".join(f"{importer.counts[name]} {name}" for name in _COUNTERS))
