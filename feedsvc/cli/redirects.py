"""A map for nginx (ngx_http_map_module) from the links that entries came with to their pages here."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from feedsvc.formats.common import iri_to_uri
from feedsvc.models import Site

_HEAD = """\
# In nginx's http block: include this file; in the old site's server block:
#   if ($feedsvc_moved) { return 301 $feedsvc_moved; }
"""


def redirects(links: Iterable[tuple[str, str]], site: Site) -> str:
    """The configuration, from URLs and their entries' ids; of two that nginx holds for one, the last."""
    moved: dict[str, str] = {}
    for url, id in links:
        parts = urlsplit(iri_to_uri(url))
        target = (
            f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        )
        moved[f"{parts.hostname}{target}".lower()] = site.permalink(id)
    # A bucket holds at least one key, with what nginx adds to it.
    bucket = 1 << max(6, (max(map(len, moved), default=0) + 40).bit_length())
    lines = [f'    "{old}" "{new}";\n' for old, new in moved.items()]
    sizes = f"map_hash_max_size {max(2048, 2 * len(moved))};\nmap_hash_bucket_size {bucket};\n"
    return "".join(
        (_HEAD, sizes, "map $host$request_uri $feedsvc_moved {\n", *lines, "}\n")
    )
