"""Content codings: gzip, br and zstd (RFC 9110 §12.5.3)."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from functools import lru_cache

import brotli
import zstandard
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

# Levels at which a feed is compressed in a few milliseconds. gzip must not write the
# time (mtime=0): all workers make the same bytes.
COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=5),
    "zstd": lambda body: zstandard.ZstdCompressor(level=9).compress(body),
    "gzip": lambda body: gzip.compress(body, compresslevel=6, mtime=0),
}
"""The content codings; a client that likes several equally gets the first of them."""

MIN_COMPRESS_SIZE = 256
"""Bytes from which a body is compressed: smaller ones fit in a packet anyway."""


# Few different headers are sent, and this runs for every request.
@lru_cache(1024)
def negotiate_encoding(accept_encoding: str) -> str:
    """Return the content coding that a client prefers, `""` for none."""
    accepted = parse_accept_header(accept_encoding, Accept)
    best = max(COMPRESSORS, key=lambda coding: float(accepted.quality(coding)))
    quality = accepted.quality(best)
    is_preferred = quality > 0 and quality >= accepted.quality("identity")
    return best if is_preferred else ""
