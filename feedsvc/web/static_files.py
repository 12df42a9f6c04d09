"""Files that come with the service."""

from datetime import UTC, datetime
from functools import lru_cache
from mimetypes import guess_type
from os.path import getmtime, isfile
from pathlib import Path

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from feedsvc.feeds.cached_response import CachedResponse
from feedsvc.web.responses import conditional_response

#: Seconds that caches keep files.
_MAX_AGE = 3600


class FilesBlueprint(Blueprint):
    """A blueprint whose static files are responses that stay in memory."""

    def send_static_file(self, filename: str) -> Response:
        """Answer with a file, whose ETag is equal on all machines."""
        path = safe_join(str(self.static_folder), filename)
        if path is None or not isfile(path):
            raise NotFound
        return conditional_response(_read_file(path, getmtime(path)))


# All clients are sent the same bytes, which so stay in memory once.
@lru_cache
def _read_file(path: str, modified: float) -> CachedResponse:
    """Return the response with a file; another time makes another response."""
    media_type, _ = guess_type(path)
    return CachedResponse(
        Path(path).read_bytes(),
        media_type or "application/octet-stream",
        datetime.fromtimestamp(modified, UTC),
        due_at=None,
        max_age=_MAX_AGE,
    )
