"""Log lines as text or JSON, without tokens and control characters."""

import json
import logging
import os
import re
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

# A part of one too: what is logged may have been cut.
_TOKEN = re.compile("fsv_[0-9A-Za-z]{8,36}")
# Other than tabs and line feeds, which tracebacks have.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line without tokens and control characters."""
        text = _TOKEN.sub("fsv_…", super().format(record))
        text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
        # A line feed in a URL must not begin another line of the log.
        return text.replace("\n", "\n    ")


class JsonFormatter(TextFormatter):
    """Lines for machines: one JSON object each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the time, the level and the message, with its traceback."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "message": super().format(record),
        }
        return json.dumps(line, ensure_ascii=False)


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's logger, whose handlers redact tokens.

    gunicorn's setting `logconfig_dict` would do, but it also turns the access log on.
    """

    def setup(self, cfg: Any) -> None:
        """Set the formatter of every handler, the application's included."""
        super().setup(cfg)
        logging.basicConfig()
        # Each write is a line.
        logging.getLogger("feedsvc").setLevel(logging.INFO)
        formatter = TextFormatter(self.error_fmt, self.datefmt)
        if os.environ.get("FEEDSVC_LOG_FORMAT") == "json":
            formatter = JsonFormatter()
        for log in (self.error_log, self.access_log, logging.root):
            for handler in log.handlers:
                handler.setFormatter(formatter)
