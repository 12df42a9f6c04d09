"""gunicorn's logs: text or JSON lines, client addresses as configured, no tokens."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_network
from queue import SimpleQueue
from typing import Any

import msgspec
from gunicorn.config import AccessLogFormat
from gunicorn.glogging import Logger as GunicornLogger

from config import Config
from feedsvc.http.redaction import redact_tokens

_GROUP_SECONDS = 0.1
"""Time between two groups of lines of the access log."""

_MAX_QUEUED = 20_000
"""Lines that wait to be written, some MiB; more are dropped and counted."""

_CLOSE_SECONDS = 2.0
"""Time to write the last lines when a worker stops."""

_MILLISECOND = timedelta(milliseconds=1)
_TEXT_TIME = "%d/%b/%Y:%H:%M:%S %z"
_JSON_TIME = "%Y-%m-%dT%H:%M:%S%z"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ADDRESS = re.compile(r"(?<=from ip=)\S+(?=: )")


@lru_cache(4096)
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
        text = super().format(record)
        text = _ADDRESS.sub(lambda match: anonymize_ip(match[0], self._addresses), text)
        return _make_safe(text)


class JsonFormatter(TextFormatter):
    """Lines for machines: one JSON object each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the level and the message, with its traceback."""
        line = {
            "time": self.formatTime(record, _JSON_TIME),
            "level": record.levelname,
            "message": super().format(record),
        }
        return json.dumps(line)


def create_formatter(
    config: Config, text_format: str, date_format: str | None = None
) -> logging.Formatter:
    """Return the formatter that FEEDSVC_LOG_FORMAT demands."""
    if config.log_format == "json":
        return JsonFormatter(addresses=config.log_addresses)
    return TextFormatter(text_format, date_format, config.log_addresses)


class AccessLine(msgspec.Struct, frozen=True):
    """A line of the access log."""

    time: str
    address: str
    method: str
    target: str
    status: int
    bytes: int
    ms: int
    agent: str
    validators: str
    request_id: str

    def text(self) -> str:
        """Return the line for people."""
        target, agent = _escape_quotes(self.target), _escape_quotes(self.agent)
        return _make_safe(
            f'{self.address} [{self.time}] "{self.method} {target}" {self.status}'
            f' {self.bytes} {self.ms}ms "{agent}" {self.validators} {self.request_id}'
        )

    def json(self) -> str:
        """Return the line for machines, in ASCII."""
        line = msgspec.json.encode(self).decode()
        if not line.isascii():
            line = json.dumps(msgspec.structs.asdict(self))
        return redact_tokens(line)


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's logger, with FEEDSVC_LOG_FORMAT and FEEDSVC_LOG_ADDRESSES.

    A thread writes the access log, so that neither the event loop nor a thread that
    answers waits for a full pipe. It starts with the first line, after the fork.
    """

    def setup(self, cfg: Any) -> None:
        """Set the formatter of every handler, the application's included."""
        super().setup(cfg)
        settings = Config.from_env()
        self._addresses = settings.log_addresses
        self._is_json = settings.log_format == "json"
        self._time_format = _JSON_TIME if self._is_json else _TEXT_TIME
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._writer_lock = threading.Lock()
        self._dropped = 0
        logging.basicConfig()
        # Each write is a line.
        logging.getLogger("feedsvc").setLevel(logging.INFO)
        for log in (self.error_log, logging.root):
            formatter = create_formatter(settings, self.error_fmt, self.datefmt)
            for handler in log.handlers:
                handler.setFormatter(formatter)
        if self.has_own_format:
            formatter = logging.Formatter()  # the lines are complete
        else:
            formatter = create_formatter(settings, self.access_fmt, self.datefmt)
        for handler in self.access_log.handlers:
            handler.setFormatter(formatter)

    @property
    def has_own_format(self) -> bool:
        """Return whether a thread writes the access log.

        It does, in our formats, unless the operator has set one in gunicorn's notation.
        """
        return self._is_json or self.cfg.access_log_format == AccessLogFormat.default

    def access(
        self, resp: Any, req: Any, environ: Any, request_time: timedelta
    ) -> None:
        """Log a response."""
        if not self.access_log_enabled:
            return
        if not self.has_own_format:
            super().access(resp, req, environ, request_time)
            return
        if self._queue.qsize() >= _MAX_QUEUED:
            self._dropped += 1
            return
        if self._writer is None:
            self._start_writer()
        line = AccessLine(
            _format_time(int(time.time()), self._time_format),
            anonymize_ip(environ.get("REMOTE_ADDR", "-"), self._addresses),
            environ["REQUEST_METHOD"],
            environ["RAW_URI"],
            int(resp.status.split(None, 1)[0]),
            resp.sent,
            request_time // _MILLISECOND,
            environ.get("HTTP_USER_AGENT", "-"),
            _validators(environ),
            _find_request_id(resp.headers),
        )
        # A text already: to make hundreds at once, the writer would hold the GIL for
        # milliseconds, in which the event loop answers nothing.
        self._queue.put(line.json() if self._is_json else line.text())

    def atoms(
        self, resp: Any, req: Any, environ: Any, request_time: timedelta
    ) -> dict[str, Any]:
        """Return the values of a line in a format of gunicorn's notation."""
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        return {**atoms, "h": anonymize_ip(atoms["h"], self._addresses)}

    def close_access_log(self) -> None:
        """Write the lines that wait, before the process ends."""
        if self._writer:
            self._queue.put(None)
            # A pipe that nobody reads must not keep the worker from stopping.
            self._writer.join(timeout=_CLOSE_SECONDS)

    def _start_writer(self) -> None:
        with self._writer_lock:
            if self._writer is None:
                self._writer = threading.Thread(
                    target=self._write_lines, name="access-log", daemon=True
                )
                self._writer.start()

    def _write_lines(self) -> None:
        """Write lines as they come, in groups, until there is a None."""
        while True:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get())
            lines = [line for line in group if line]
            if lines:
                self._write_group(lines)
            if len(lines) < len(group):
                return
            time.sleep(_GROUP_SECONDS)

    def _write_group(self, lines: list[str]) -> None:
        handlers = self.access_log.handlers
        if all(isinstance(handler, logging.StreamHandler) for handler in handlers):
            # One write takes hardly longer for many lines than for one.
            lines = ["\n".join(lines)]
        for line in lines:
            self.access_log.info(line)
        dropped, self._dropped = self._dropped, 0
        if dropped:
            self.warning("The access log is too slow: %d lines are missing", dropped)


def _escape_quotes(text: str) -> str:
    # Backslashes too, or one at the end would escape the quote that follows.
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _make_safe(text: str) -> str:
    """Return a text without tokens and control characters."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", redact_tokens(text))


@lru_cache(16)
def _format_time(second: int, format: str) -> str:
    return time.strftime(format, time.localtime(second))


def _find_request_id(headers: Iterable[tuple[str, str]]) -> str:
    for name, value in headers:
        if name.lower() == "x-request-id":
            return value
    return "-"


def _validators(environ: Mapping[str, Any]) -> str:
    """Return which validators a request had; a poll without any costs most."""
    has_etag = "HTTP_IF_NONE_MATCH" in environ
    if "HTTP_IF_MODIFIED_SINCE" in environ:
        return "etag+date" if has_etag else "date"
    return "etag" if has_etag else "-"
