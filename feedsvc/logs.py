"""Log lines as text or JSON, without tokens and control characters."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from config import Config
from feedsvc.http.redaction import redact_tokens

_JSON_TIME = "%Y-%m-%dT%H:%M:%S%z"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line without tokens and control characters."""
        text = redact_tokens(super().format(record))
        return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class JsonFormatter(TextFormatter):
    """Lines for machines: one JSON object each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the time, the level and the message, with its traceback."""
        line = {
            "time": self.formatTime(record, _JSON_TIME),
            "level": record.levelname,
            "message": super().format(record),
        }
        return json.dumps(line, ensure_ascii=False)


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's logger, with the formatter that FEEDSVC_LOG_FORMAT demands."""

    def setup(self, cfg: Any) -> None:
        """Set the formatter of every handler, the application's included."""
        super().setup(cfg)
        logging.basicConfig()
        # Each write is a line.
        logging.getLogger("feedsvc").setLevel(logging.INFO)
        is_json = Config.from_env().log_format == "json"
        for log in (self.error_log, self.access_log, logging.root):
            text_format = self.access_fmt if log is self.access_log else self.error_fmt
            formatter = (
                JsonFormatter() if is_json else TextFormatter(text_format, self.datefmt)
            )
            for handler in log.handlers:
                handler.setFormatter(formatter)
