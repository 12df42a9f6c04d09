"""gunicorn's logs: text or JSON lines, client addresses as configured, no tokens."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from config import Config
from feedsvc.http.redaction import redact_tokens
from feedsvc.server.metrics import record_request

ACCESS_LOG_FORMAT = (
    '%(h)s %(t)s "%(m)s %({raw_uri}e)s" %(s)s %(B)s %(M)sms "%(a)s" %({validators}e)s '
    "%({x-request-id}o)s"
)
"""A response's line, as text. `feedsvc readers` parses it."""

_FIELDS = {
    "address": "h",
    "method": "m",
    "target": "{raw_uri}e",
    "status": "s",
    "bytes": "B",
    "ms": "M",
    "agent": "a",
    "validators": "{validators}e",
    "request_id": "{x-request-id}o",
}
"""Fields of a response's JSON line, and gunicorn's atoms that they show."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ADDRESS = re.compile(r"(?<=from ip=)\S+(?=: )")


def anonymize_ip(address: str, precision: str) -> str:
    """Return an address as FEEDSVC_LOG_ADDRESSES demands.

    :param precision: `full`; `short` for its network alone; `none` for "-".
    """
    if precision == "full":
        return address
    if precision == "none":
        return "-"
    try:
        bits = 24 if ip_network(address).version == 4 else 48
        return str(ip_network(f"{address}/{bits}", strict=False))
    except ValueError:  # a Unix socket has no address
        return "-"


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        addresses: str = "full",
    ) -> None:
        super().__init__(fmt, datefmt)
        self._addresses = addresses

    def format(self, record: logging.LogRecord) -> str:
        """Return a line without tokens, control characters and unwanted addresses."""
        text = redact_tokens(super().format(record))
        text = _ADDRESS.sub(lambda match: anonymize_ip(match[0], self._addresses), text)
        return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class JsonFormatter(TextFormatter):
    """Lines for machines: one JSON object each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a response's fields, or the level and the message with traceback."""
        line: dict[str, Any] = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")}
        if isinstance(record.args, Mapping) and record.name == "gunicorn.access":
            line |= {name: record.args.get(atom) for name, atom in _FIELDS.items()}
            line["status"] = int(line["status"] or 0)
            return redact_tokens(json.dumps(line))
        return json.dumps(
            {**line, "level": record.levelname, "message": super().format(record)}
        )


def create_formatter(
    config: Config, text_format: str, date_format: str | None = None
) -> logging.Formatter:
    """Return the formatter that FEEDSVC_LOG_FORMAT demands."""
    if config.log_format == "json":
        return JsonFormatter(addresses=config.log_addresses)
    return TextFormatter(text_format, date_format, config.log_addresses)


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's logger, with FEEDSVC_LOG_FORMAT and FEEDSVC_LOG_ADDRESSES."""

    def setup(self, cfg: Any) -> None:
        """Set the formatter of every handler, the application's included."""
        super().setup(cfg)
        settings = Config.from_env()
        self._addresses = settings.log_addresses
        if settings.log_format == "json":
            # gunicorn's wrapper escapes quotes, which json.dumps does too.
            self.atoms_wrapper_class = dict
        logging.basicConfig()
        for log in (self.access_log, self.error_log, logging.root):
            text_format = self.access_fmt if log == self.access_log else self.error_fmt
            formatter = create_formatter(settings, text_format, self.datefmt)
            for handler in log.handlers:
                handler.setFormatter(formatter)

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Log a response, and count it."""
        # An ill-formed request's response has a status and nothing else.
        status = int(resp.status.split(None, 1)[0])
        record_request(environ, status, request_time)
        super().access(resp, req, environ, request_time)

    def atoms(
        self, resp: Any, req: Any, environ: Any, request_time: timedelta
    ) -> dict[str, Any]:
        """Return the values of a line.

        For our own format only the needed ones: gunicorn's take four times as long.
        """
        if self.cfg.access_log_format != ACCESS_LOG_FORMAT:
            atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
            return {**atoms, "h": anonymize_ip(atoms["h"], self._addresses)}
        request_ids = (
            value for name, value in resp.headers if name.lower() == "x-request-id"
        )
        return {
            "h": anonymize_ip(environ.get("REMOTE_ADDR", "-"), self._addresses),
            "t": self.now(),
            "m": environ["REQUEST_METHOD"],
            "{raw_uri}e": environ["RAW_URI"],
            "s": resp.status.split(None, 1)[0],
            "B": resp.sent,
            "M": request_time // timedelta(milliseconds=1),
            "a": environ.get("HTTP_USER_AGENT", "-"),
            "{validators}e": _validators(environ),
            "{x-request-id}o": next(request_ids, "-"),
        }


def _validators(environ: Mapping[str, Any]) -> str:
    """Return which validators a request had; a poll without any costs most."""
    has_etag = "HTTP_IF_NONE_MATCH" in environ
    if "HTTP_IF_MODIFIED_SINCE" in environ:
        return "etag+date" if has_etag else "date"
    return "etag" if has_etag else "-"
