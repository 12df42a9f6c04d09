"""The service with a clock that a benchmark sets: the modification time of a file."""

import os
from datetime import UTC, datetime

from config import Config
from feedsvc.app import create_app


def _clock() -> datetime:
    return datetime.fromtimestamp(os.stat(os.environ["CLOCK"]).st_mtime, UTC)


app = create_app(Config.from_env(), _clock)
