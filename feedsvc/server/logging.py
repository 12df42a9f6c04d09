"""gunicorn's logs: text or JSON lines, addresses as short as wanted, and never a token."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from feedsvc.http.redaction import redact_tokens
from feedsvc.server.metrics import record_request

ACCESS_LOG_FORMAT = (
    '%(h)s %(t)s "%(m)s %({raw_uri}e)s" %(s)s %(B)s %(M)sms "%(a)s" %({x-request-id}o)s'
)
"""An answer's line, as text."""

_FIELDS = {
    "address": "h",
    "method": "m",
    "target": "{raw_uri}e",
    "status": "s",
    "bytes": "B",
    "ms": "M",
    "agent": "a",
    "request_id": "{x-request-id}o",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ADDRESS = re.compile(r"(?<=from ip=)\S+(?=: )")


def anonymize_ip(address: str) -> str:
    """An address as FEEDSVC_LOG_ADDRESSES wants it: full, its network alone (short), or not at all (none)."""
    wanted = os.environ.get("FEEDSVC_LOG_ADDRESSES") or "full"
    if wanted == "full":
        return address
    try:
        bits = 24 if ip_network(address).version == 4 else 48
        return (
            str(ip_network(f"{address}/{bits}", strict=False))
            if wanted == "short"
            else "-"
        )
    except ValueError:  # of a Unix socket
        return "-"


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without tokens, control characters and whole addresses."""
        text = redact_tokens(super().format(record))
        text = _ADDRESS.sub(lambda found: anonymize_ip(found[0]), text)
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class JsonFormatter(TextFormatter):
    """Lines for machines: an object each."""

    def format(self, record: logging.LogRecord) -> str:
        """Of an answer its fields; of all else the level and the message, with the traceback."""
        line: dict[str, Any] = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")}
        if isinstance(record.args, Mapping) and record.name == "gunicorn.access":
            line |= {name: record.args.get(atom) for name, atom in _FIELDS.items()}
            line["status"] = int(line["status"] or 0)
            return redact_tokens(json.dumps(line))
        return json.dumps(
            {**line, "level": record.levelname, "message": super().format(record)}
        )


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's logger, with the settings FEEDSVC_LOG_FORMAT and FEEDSVC_LOG_ADDRESSES."""

    def setup(self, cfg: Any) -> None:
        """Give every handler a formatter, also the one for what the app logs."""
        super().setup(cfg)
        as_json = os.environ.get("FEEDSVC_LOG_FORMAT") == "json"
        if as_json:
            self.atoms_wrapper_class = dict  # gunicorn's escapes for text
        logging.basicConfig()
        for log in (self.access_log, self.error_log, logging.root):
            form = self.access_fmt if log == self.access_log else self.error_fmt
            for handler in log.handlers:
                handler.setFormatter(
                    JsonFormatter() if as_json else TextFormatter(form, self.datefmt)
                )

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Log an answer, and count it."""
        record_request(
            environ, int(resp.status.split(None, 1)[0]), request_time
        )  # all that an ill-formed one has
        super().access(resp, req, environ, request_time)

    def atoms(
        self, resp: Any, req: Any, environ: Any, request_time: timedelta
    ) -> dict[str, Any]:
        """What a line can be made of; for our own no more than it needs, which is a fourth of the work."""
        if self.cfg.access_log_format != ACCESS_LOG_FORMAT:
            found: dict[str, Any] = super().atoms(resp, req, environ, request_time)
            return {**found, "h": anonymize_ip(found["h"])}
        ids = (value for name, value in resp.headers if name.lower() == "x-request-id")
        return {
            "h": anonymize_ip(environ.get("REMOTE_ADDR", "-")),
            "t": self.now(),
            "m": environ["REQUEST_METHOD"],
            "{raw_uri}e": environ["RAW_URI"],
            "s": resp.status.split(None, 1)[0],
            "B": resp.sent,
            "M": request_time // timedelta(milliseconds=1),
            "a": environ.get("HTTP_USER_AGENT", "-"),
            "{x-request-id}o": next(ids, "-"),
        }
