"""Every setting of feedsvc, each declared once: name, default, parser, help.

A setting is an environment variable. Its name is the field's in capitals behind ``FEEDSVC_`` (``PORT``
and ``HOST`` stand alone). An empty variable is an absent one; a default may name an earlier setting in
braces; ``<NAME>_FILE`` reads the value from a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit
from zoneinfo import ZoneInfo

import limits
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_SECRET_WORDS = ("password", "passwd", "secret", "token", "key")
"""Parts of the names of parameters whose values are not shown."""


class SettingError(ValueError):
    """A setting that cannot be used; the message is one sentence that begins with its name."""


def text(value: str) -> str:
    """Any text without control characters."""
    if not value.isprintable():
        raise ValueError("must be one line of printable text")
    return value


def base_url(value: str) -> str:
    """An absolute http(s) URL without query or fragment; a slash at its end is dropped."""
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
    ):
        raise ValueError(
            "must be an absolute http:// or https:// URL without query or fragment"
        )
    return value.rstrip("/")


def optional_url(value: str) -> str:
    """As `base_url`, or nothing."""
    return base_url(value) if value else ""


def urls(value: str) -> tuple[str, ...]:
    """Absolute URLs, with commas between them; each is kept as it is."""
    found = tuple(dict.fromkeys(one.strip() for one in value.split(",") if one.strip()))
    for one in found:
        base_url(one)
    return found


def database_url(value: str) -> str:
    """An SQLAlchemy URL of SQLite or of PostgreSQL with psycopg; several hosts stand there with commas."""
    several = re.fullmatch(
        r"(postgresql\+psycopg://(?:[^@/]*@)?)([^@/?]*,[^@/?]*)(/[^?]*)(?:\?(.*))?",
        value,
    )
    if several:  # as SQLAlchemy has them
        begin, hosts, name, query = several.groups()
        value = f"{begin}{name}?{'&'.join([f'host={host}' for host in hosts.split(',')] + [query or ''])}"
    try:
        driver = make_url(value).drivername
    except ArgumentError:
        driver = ""
    if driver not in ("sqlite", "postgresql+psycopg"):
        raise ValueError("must begin with sqlite:/// or postgresql+psycopg://")
    return value


def listening(value: str) -> str:
    """An address and a port to listen on, or nothing."""
    if value and not re.fullmatch(r"\S+:[0-9]{1,5}", value):
        raise ValueError("must be an address and a port such as 127.0.0.1:9100")
    return value


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers between `low` and `high`, both included."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def rate(value: str) -> str:
    """A rate in the notation of the library `limits`."""
    try:
        limits.parse(value)
    except ValueError:
        raise ValueError("must be a rate such as 600/minute") from None
    return value


def boolean(value: str) -> bool:
    """Yes or no."""
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


def language(value: str) -> str:
    """A BCP 47 language tag."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError("must be a BCP 47 language tag such as vi or en-GB")
    return value


def timezone(value: str) -> ZoneInfo:
    """An IANA time zone."""
    from feedsvc.timezones import zone  # the package imports this module

    try:
        return zone(value)
    except ValueError:
        raise ValueError("must be an IANA time zone such as Asia/Ho_Chi_Minh") from None


def choice(*words: str) -> Callable[[str], str]:
    """A parser of one word out of some."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return parse


def color(value: str) -> str:
    """A colour as stylesheets write it in six digits, or nothing."""
    if value and not re.fullmatch("#[0-9a-fA-F]{6}", value):
        raise ValueError("must be a colour such as #9d1c20")
    return value


def email(value: str) -> str:
    """An e-mail address, or nothing."""
    if value and not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", value):
        raise ValueError("must be an e-mail address")
    return value


def setting(
    default: str, parse: Callable[[str], Any], help: str, *, name: str = ""
) -> Any:
    """Declare one setting of `Config`."""
    return field(
        metadata={"default": default, "parse": parse, "help": help, "name": name}
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one process, parsed."""

    host: str = setting(
        "127.0.0.1", text, "address that gunicorn listens on", name="HOST"
    )
    port: int = setting(
        "8000", integer(1, 65535), "port that gunicorn listens on", name="PORT"
    )
    database_url: str = setting(
        "sqlite:///var/feedsvc.db",
        database_url,
        "where entries are kept, an SQLAlchemy URL",
    )
    database_connections: int = setting(
        "24", integer(2, 1000), "connections to PostgreSQL that a process has at most"
    )
    public_url: str = setting(
        "http://localhost:{port}",
        base_url,
        "this service's own address; starts its URLs",
    )
    site_url: str = setting(
        "{public_url}", base_url, "the portal's home page, which feeds link to"
    )
    site_title: str = setting(
        "Cổng thông tin điện tử thành phố Hà Nội", text, "the portal's name"
    )
    site_description: str = setting(
        "Tin tức và sự kiện của thành phố Hà Nội",
        text,
        "one sentence on the portal, for feeds and pages",
    )
    site_language: str = setting(
        "vi", language, "language of the portal's entries and of feed titles"
    )
    site_timezone: ZoneInfo = setting(
        "Asia/Ho_Chi_Minh", timezone, "zone of dates without an offset"
    )
    site_icon: str = setting("", optional_url, "URL of a square picture for feeds")
    site_rights: str = setting("", text, "rights in the entries, as text or a URL")
    site_contact: str = setting("", email, "e-mail address of the feeds' editor")
    site_color: str = setting("", color, "colour of the pages' head, such as #9d1c20")
    site_logo: str = setting("", optional_url, "URL of a picture for the pages' head")
    max_age: int = setting(
        "60", integer(0, 86400), "seconds that caches may keep a public answer"
    )
    max_body: int = setting(
        str(4 * 1024 * 1024),
        integer(1024, 1 << 30),
        "bytes of a request's body at most; more is 413",
    )
    max_batch: int = setting(
        str(64 * 1024 * 1024), integer(1024, 1 << 32), "bytes of a batch at most"
    )
    cache_entries: int = setting(
        "2000", integer(1, 10**6), "finished answers that a worker keeps at most"
    )
    cache_bytes: int = setting(
        str(64 * 1024 * 1024),
        integer(0, 1 << 40),
        "bytes that they may come to, with their encodings",
    )
    max_feed: int = setting(
        str(4 * 1024 * 1024),
        integer(65536, 1 << 30),
        "bytes of a feed at most; the oldest entries of a larger one are summaries",
    )
    workers: int = setting(
        "2", integer(1, 64), "processes that serve", name="WEB_CONCURRENCY"
    )
    rate_writes: str = setting(
        "600/minute", rate, "writes a token; each worker enforces its share"
    )
    rate_batch_lines: str = setting(
        "100000/minute", rate, "lines of batches a token, likewise"
    )
    rate_auth_failures: str = setting(
        "5/minute", rate, "failed authentications an address, likewise"
    )
    hub: bool = setting(
        "true", boolean, "whether /hub takes WebSub subscriptions of the feeds"
    )
    hubs: tuple[str, ...] = setting(
        "", urls, "other WebSub hubs to tell, URLs with commas between them"
    )
    rate_hub: str = setting("120/minute", rate, "requests to /hub an address, likewise")
    allow_private_callbacks: bool = setting(
        "false",
        boolean,
        "whether to push to private addresses; for tests on one machine",
    )
    trusted_proxies: int = setting(
        "0", integer(0, 9), "proxies in front whose X-Forwarded-For is believed"
    )
    require_if_match: bool = setting(
        "false", boolean, "whether a change must name the version it is made for"
    )
    log_format: str = setting(
        "text", choice("text", "json"), "lines of the log: for people or machines"
    )
    log_addresses: str = setting(
        "full",
        choice("full", "short", "none"),
        "clients' addresses in the log; short is the network alone",
    )
    metrics: str = setting(
        "", listening, "address:port at which Prometheus is told how things stand"
    )
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Parse the settings in `environ`.

        :raises SettingError: for the first value that cannot be used.
        """
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for name, item in _settings():
            variable = item.metadata["name"] or f"FEEDSVC_{name.upper()}"
            raw, sources[name] = _raw(
                variable, item.metadata["default"], values, environ
            )
            try:
                values[name] = item.metadata["parse"](raw)
            except ValueError as error:
                raise SettingError(f"{variable} {error}.") from None
        return cls(**values, sources=sources)

    def table(self) -> list[tuple[str, str, str, str]]:
        """Return every setting as (variable, value, source, help), with secrets masked."""
        rows = []
        for name, item in _settings():
            meta = item.metadata
            value = getattr(self, name)
            value = ",".join(value) if isinstance(value, tuple) else str(value)
            variable = meta["name"] or f"FEEDSVC_{name.upper()}"
            rows.append(
                (variable, _without_secrets(value), self.sources[name], meta["help"])
            )
        return rows


def _without_secrets(value: str) -> str:
    """Mask the secrets of a URL: the password before the host, and parameters such as libpq's `password`."""
    value = re.sub(r"(://[^:/@]*:)[^?]*@", r"\1***@", value)
    return re.sub(r"([?&])([^=&]*)=([^&]*)", _masked_parameter, value)


def _masked_parameter(found: re.Match[str]) -> str:
    separator, name, _ = found.groups()
    is_secret = any(word in unquote_plus(name).lower() for word in _SECRET_WORDS)
    return f"{separator}{name}=***" if is_secret else found[0]


def _settings() -> list[tuple[str, Any]]:
    return [(item.name, item) for item in fields(Config) if item.metadata]


def _raw(
    variable: str, default: str, values: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str, str]:
    """The text of `variable` and where it came from."""
    if environ.get(variable):
        return environ[variable], "environment"
    path = environ.get(f"{variable}_FILE")
    if path:
        try:
            return Path(path).read_text("utf-8").strip(), f"file {path}"
        except (OSError, UnicodeDecodeError):
            raise SettingError(
                f"{variable}_FILE names a file that cannot be read: {path}."
            ) from None
    return default.format(**values), "default"
