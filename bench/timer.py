"""The service with a clock that the bench sets: it is the time at which the file `CLOCK` was changed last."""

import os
from datetime import UTC, datetime

from config import Config
from feedsvc.app import create_app


def _clock() -> datetime:
    return datetime.fromtimestamp(os.stat(os.environ["CLOCK"]).st_mtime, UTC)


app = create_app(Config.from_env(), _clock)
