"""Every setting of feedsvc, each declared once: name, type, default and help.

A setting is an environment variable: the field's name in capitals after `FEEDSVC_`,
except for `HOST`, `PORT` and `WEB_CONCURRENCY`. An empty variable counts as absent.
`<NAME>_FILE` names a file to read the value from. A default can contain earlier
settings in braces. `FEEDSVC_SETTINGS` names a file of variables, for the service and
for commands; the environment precedes it.

marshmallow's fields parse most values, as in the library environs. environs itself does
not suit: it reads `os.environ` only, and takes an empty variable for a value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import limits
from marshmallow import ValidationError, validate
from marshmallow.fields import Boolean, Email, Integer, String
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from feedsvc.languages import check_language

SETTINGS_VARIABLE = "FEEDSVC_SETTINGS"
"""The variable that names a settings file."""

_PREFIX = "FEEDSVC_"

_KUBERNETES_VARIABLE = re.compile("FEEDSVC_(?:SERVICE_|PORT_|PORT=tcp:)")
"""Variables that Kubernetes sets for a Service named feedsvc."""

MIB = 1 << 20


_SEVERAL_HOSTS = re.compile(
    r"(postgresql\+psycopg://(?:[^@/]*@)?)([^@/?]*,[^@/?]*)(/[^?]*)(?:\?(.*))?"
)


_SETTINGS_LINE = re.compile(
    r"""\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"""
    r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|((?!["']).*?))\s*"""
)
"""A variable and its value, in double quotes, single quotes or none."""

Parse = Callable[[str], Any]
"""A function that returns the value of a text, or raises a ValidationError."""


class SettingError(ValueError):
    """Settings that cannot be used; the message has a line for each."""


def _parse_line(value: str) -> str:
    """Return a line of text itself."""
    if not value.isprintable():
        raise ValidationError("Must be one line of printable text.")
    return value


def _parse_font_file(value: str) -> str:
    """Return the path of a font in WOFF2, which all browsers read."""
    try:
        with Path(value).open("rb") as file:
            is_font = file.read(4) == b"wOF2"
    except OSError as error:
        reason = f"The file {value} cannot be read: {error.strerror}."
        raise ValidationError(reason) from None
    # Readers would wait for a larger one, or go without.
    if not is_font or Path(value).stat().st_size > MIB:
        raise ValidationError("Must be the path of a WOFF2 file up to 1 MiB.")
    return value


def _parse_base_url(value: str) -> str:
    """Return an absolute http(s) URL without its last slash."""
    _check_base_url(value)
    return value.rstrip("/")


def _parse_url_list(value: str) -> tuple[str, ...]:
    """Return the absolute http(s) URLs of a list with commas."""
    urls = [url.strip() for url in value.split(",")]
    for url in urls:
        _check_base_url(url)
    # A hub that is listed twice is pinged once.
    return tuple(dict.fromkeys(urls))


def _parse_database_url(value: str) -> str:
    """Return SQLAlchemy's URL of an SQLite database, or of PostgreSQL with psycopg."""
    # libpq has several hosts in one place; SQLAlchemy wants a parameter for each.
    match = _SEVERAL_HOSTS.fullmatch(value)
    if match:
        start, hosts, database, query = match.groups()
        parameters = [f"host={host}" for host in hosts.split(",")]
        parameters.append(query or "")
        value = f"{start}{database}?{'&'.join(parameters)}"
    error = ValidationError("Must begin with sqlite:/// or postgresql+psycopg://.")
    try:
        url = make_url(value)
    except ArgumentError:
        raise error from None
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise error
    # In memory, each worker would have a database of its own.
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValidationError("Must name a file, such as sqlite:////data/feeds.db.")
    return value


def _parse_rate(value: str) -> str:
    """Return a rate in the notation of the library limits itself."""
    try:
        limits.parse(value)
    except ValueError:
        raise ValidationError("Must be a rate such as 600/minute.") from None
    return value


def _parse_language(value: str) -> str:
    """Return the tag of a language itself."""
    try:
        return check_language(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _parse_timezone(value: str) -> ZoneInfo:
    """Return a zone by its IANA name."""
    # Not above: `feedsvc` takes the host's zones away for the whole process.
    from feedsvc.timezones import zone

    try:
        return zone(value)
    except ValueError:
        raise ValidationError(
            "Must be an IANA time zone such as Asia/Ho_Chi_Minh."
        ) from None


def _check_base_url(value: str) -> None:
    # Not marshmallow's URL: it refuses hosts with an underscore, as Compose has them.
    parts = urlsplit(value)
    is_http = parts.scheme in ("http", "https") and parts.hostname
    if not is_http or parts.query or parts.fragment:
        raise ValidationError(
            "Must be an absolute http:// or https:// URL without query or fragment."
        )


def _integer(low: int, high: int) -> Parse:
    message = f"Must be a whole number from {low} to {high}."
    in_range = validate.Range(low, high, error=message)
    return Integer(validate=in_range, error_messages={"invalid": message}).deserialize


def _divisor(number: int) -> Parse:
    divisors = [each for each in range(1, number + 1) if number % each == 0]
    message = f"Must be one of {', '.join(map(str, divisors))}."
    is_divisor = validate.OneOf(divisors, error=message)
    return Integer(validate=is_divisor, error_messages={"invalid": message}).deserialize


_parse_boolean = Boolean(
    error_messages={"invalid": "Must be true or false."}
).deserialize


def _choice(*values: str) -> Parse:
    return String(validate=validate.OneOf(values)).deserialize


def _pattern(pattern: str, message: str) -> Parse:
    return String(validate=validate.Regexp(pattern, error=message)).deserialize


def setting(
    default: str,
    parse: Parse,
    help: str,
    *,
    variable: str | None = None,
    absent: Any = "",
) -> Any:
    """Declare a setting of `Config`.

    :param default: as in the environment; empty if the setting may be absent.
    :param absent: the value if it is absent.
    """
    metadata = {
        "default": default,
        "parse": parse,
        "help": help,
        "variable": variable,
        "absent": absent,
    }
    return field(metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one process, parsed."""

    host: str = setting(
        "127.0.0.1", _parse_line, "address that gunicorn listens on", variable="HOST"
    )
    port: int = setting(
        "8000", _integer(1, 65535), "port that gunicorn listens on", variable="PORT"
    )
    workers: int = setting(
        "2", _integer(1, 64), "worker processes", variable="WEB_CONCURRENCY"
    )
    database_url: str = setting(
        "sqlite:///var/feedsvc.db", _parse_database_url, "database, an SQLAlchemy URL"
    )
    public_url: str = setting(
        "http://localhost:{port}",
        _parse_base_url,
        "address of this service, with which all its URLs begin",
    )
    site_url: str = setting(
        "{public_url}", _parse_base_url, "home page of the portal, which feeds link to"
    )
    site_title: str = setting(
        "Cổng thông tin điện tử thành phố Hà Nội", _parse_line, "name of the portal"
    )
    site_description: str = setting(
        "Tin tức và sự kiện của thành phố Hà Nội",
        _parse_line,
        "description of the portal, one sentence",
    )
    site_language: str = setting(
        "vi",
        _parse_language,
        "language of feed titles, and default language of entries",
    )
    site_timezone: ZoneInfo = setting(
        "Asia/Ho_Chi_Minh", _parse_timezone, "time zone of dates without an offset"
    )
    site_icon: str = setting("", _parse_base_url, "URL of a square picture for feeds")
    site_rights: str = setting(
        "", _parse_line, "default rights of entries, text or URL"
    )
    site_contact: str = setting(
        "", Email().deserialize, "e-mail address of the editors"
    )
    site_color: str = setting(
        "",
        _pattern(r"#[0-9a-fA-F]{6}\Z", "Must be a colour such as #9d1c20."),
        "colour of the pages' header, such as #9d1c20",
    )
    site_logo: str = setting(
        "", _parse_base_url, "URL of a picture for the pages' header"
    )
    site_font: str = setting("", _parse_font_file, "WOFF2 file of the pages' font")
    poll_minutes: int = setting(
        "15",
        # RSS states the polls an hour, as a whole number.
        _divisor(60),
        "minutes between polls that feeds recommend, a divisor of 60",
    )
    max_body: int = setting(
        str(8 * MIB), _integer(1024, 1 << 30), "maximum bytes of a request body"
    )
    rate_writes: str = setting(
        "600/minute", _parse_rate, "writes per token; each worker enforces its share"
    )
    rate_auth_failures: str = setting(
        "5/minute", _parse_rate, "failed authentications per address, likewise"
    )
    hubs: tuple[str, ...] = setting(
        "", _parse_url_list, "external WebSub hubs to ping, comma-separated", absent=()
    )
    trusted_proxies: int = setting(
        "0", _integer(0, 9), "number of proxies whose X-Forwarded-For is trusted"
    )
    samples: bool = setting(
        "false",
        _parse_boolean,
        "load sample entries into an empty database at the start, and print a token",
    )
    secret_key: str = setting(
        "", _parse_line, "signs the links of previews; default: one in the database"
    )
    log_format: str = setting("text", _choice("text", "json"), "format of log lines")

    @classmethod
    def from_env(cls, environ: MutableMapping[str, str] = os.environ) -> Config:
        """Parse the settings in `environ`, and in the settings file that it names.

        Other programs' variables in that file, such as libpq's PGPASSWORD, are set in
        `environ`, as systemd would do.

        :raises SettingError: some cannot be used; the message names all of them.
        """
        path = environ.get(SETTINGS_VARIABLE, "")
        file = read_settings_file(path) if path else {}
        for variable in file.keys() - _variables():
            environ.setdefault(variable, file[variable])
        texts: dict[str, str] = {}
        values: dict[str, Any] = {}
        errors: list[str] = []
        for name, metadata in _declarations():
            variable = metadata["variable"]
            texts[name] = ""
            is_default = False
            try:
                text = _read(variable, environ, file)
                is_default = not text
                texts[name] = text = text or metadata["default"].format(**texts)
                values[name] = metadata["parse"](text) if text else metadata["absent"]
            except ValidationError as error:
                # A default fails only if it contains a setting that has failed.
                if not is_default:
                    errors += [f"{variable}: {message}" for message in error.messages]
        if errors:
            raise SettingError("\n".join(errors))
        return cls(**values)


def _declarations() -> list[tuple[str, dict[str, Any]]]:
    """Return each setting's field name, and its declaration."""
    declarations = []
    for item in fields(Config):
        variable = item.metadata["variable"] or _PREFIX + item.name.upper()
        declarations.append((item.name, {**item.metadata, "variable": variable}))
    return declarations


def setting_names() -> set[str]:
    """Return the variable of each setting."""
    return {metadata["variable"] for _, metadata in _declarations()}


def _variables() -> set[str]:
    """Return the names of all variables that are settings."""
    names = setting_names()
    return names | {f"{name}_FILE" for name in names}


def unknown_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a sentence for each variable that is named like a setting and is none.

    They are no errors: an older version may run with the settings of a newer one.
    """
    known = _variables() | {SETTINGS_VARIABLE}
    # Compared without the prefix, by which all of them resemble each other.
    by_suffix = {name.removeprefix(_PREFIX): name for name in known}
    sentences = []
    for name in sorted(environ):
        is_kubernetes = _KUBERNETES_VARIABLE.match(f"{name}={environ[name]}")
        if not name.startswith(_PREFIX) or name in known or is_kubernetes:
            continue
        similar = get_close_matches(name.removeprefix(_PREFIX), by_suffix, n=1)
        hint = f" Did you mean “{by_suffix[similar[0]]}”?" if similar else ""
        sentences.append(f"{name} is no setting.{hint}")
    return sentences


def read_settings_file(path: str) -> dict[str, str]:
    """Return the variables in a file, one NAME=value a line.

    The syntax is that of systemd's EnvironmentFile=, so that a unit and a command read
    the same file alike. A backslash does not continue a line, though.

    :raises SettingError: the file cannot be read, or has another line.
    """
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "It is not UTF-8"
        raise SettingError(
            f"The settings file {path} cannot be read: {reason}."
        ) from None
    variables = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        match = _SETTINGS_LINE.fullmatch(line)
        if not match:
            # Without the line itself, which may contain a secret.
            raise SettingError(
                f"The settings file {path}, line {number}: Must be NAME=value."
            )
        # Backslashes count differently in each kind of quotes, as in a shell.
        name, double, single, bare = match.groups()
        if double is not None:
            variables[name] = re.sub(r'\\(["\\`$])', r"\1", double)
        elif single is not None:
            variables[name] = single
        else:
            variables[name] = re.sub(r"\\(.)", r"\1", bare)
    return variables


def _read(variable: str, environ: Mapping[str, str], file: Mapping[str, str]) -> str:
    """Return the text of a variable, or of its file; empty if there is neither.

    :param file: the variables of the settings file.
    :raises ValidationError: the variable's file cannot be read.
    """
    for variables in (environ, file):
        if variables.get(variable):
            return variables[variable]
        if value_file := variables.get(f"{variable}_FILE"):
            try:
                return Path(value_file).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise ValidationError(
                    f"The file {value_file} cannot be read."
                ) from None
    return ""
