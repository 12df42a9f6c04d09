"""The settings of feedsvc, which are environment variables.

docs/operating.md says what each means.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import partial
from operator import methodcaller
from typing import Any
from urllib.parse import urlsplit

import limits
from dotenv import dotenv_values
from environs import EnvValidationError, FileAwareEnv
from marshmallow.validate import URL, Email, OneOf, Range, Regexp
from sqlalchemy.engine import make_url

from feedsvc.extension import extensions
from feedsvc.input.fields import validate
from feedsvc.models import Site
from feedsvc.text.languages import UI_LANGUAGES, check_language, match_tag
from feedsvc.text.timezones import zone

_is_page = URL(schemes={"http", "https"})

# RSS states the polls an hour, as a whole number.
_DIVISORS_OF_AN_HOUR = [each for each in range(1, 61) if 60 % each == 0]


class SettingError(ValueError):
    """Settings that cannot be used; the message has a line for each."""


def check_database_url(value: str) -> None:
    """Check the URL of a database.

    :raises SettingError: it is of another kind, or names no file.
    """
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise SettingError("Must begin with sqlite:/// or postgresql+psycopg://.")
    url = make_url(value)
    # In memory, each worker would have a database of its own.
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise SettingError("Must name a file, such as sqlite:////data/feeds.db.")


def _setting(
    name: str,
    default: Any,
    check: Callable[[Any], object] | None = None,
    kind: str = "str",
) -> Any:
    """Return a member of a dataclass whose value is that of a variable.

    :param check: raises a ValueError or a ValidationError for a wrong value.
    :param kind: the method of `Env` that reads it.
    """
    options = {"validate": partial(validate, check)} if check else {}
    read = methodcaller(kind, name, default, **options)
    return field(default=default, metadata={"read": read})


@dataclass(frozen=True, kw_only=True)
class PageSettings:
    """The settings of the portal that pages alone know; its `Site` has the others.

    `imprint`, `privacy` and `accessibility` are URLs of pages about these.
    """

    color: str = _setting(
        "FEEDSVC_SITE_COLOR",
        "",
        Regexp(r"#[0-9a-fA-F]{6}\Z", error="Must be a color such as #9d1c20."),
    )
    logo: str = _setting("FEEDSVC_SITE_LOGO", "", kind="base_url")
    imprint: str = _setting("FEEDSVC_SITE_IMPRINT", "", _is_page)
    privacy: str = _setting("FEEDSVC_SITE_PRIVACY", "", _is_page)
    accessibility: str = _setting("FEEDSVC_SITE_ACCESSIBILITY", "", _is_page)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one process."""

    host: str = _setting("HOST", "127.0.0.1")
    port: int = _setting("PORT", 8000, Range(1, 65535), "int")
    database_url: str = _setting(
        "FEEDSVC_DATABASE_URL", "sqlite:///var/feedsvc.db", check_database_url
    )
    site: Site
    pages: PageSettings
    max_body: int = _setting("FEEDSVC_MAX_BODY", 8 << 20, Range(min=1024), "int")
    rate_writes: str = _setting("FEEDSVC_RATE_WRITES", "600/minute", limits.parse)
    trusted_proxies: int = _setting("FEEDSVC_TRUSTED_PROXIES", 0, Range(min=0), "int")
    log_format: str = _setting("FEEDSVC_LOG_FORMAT", "text", OneOf(["text", "json"]))
    secret_key: str = _setting("FEEDSVC_SECRET_KEY", "")

    @classmethod
    def from_env(cls) -> Config:
        """Read the settings from the environment.

        `FEEDSVC_SETTINGS` names a file of more variables, over which the environment
        takes precedence. An empty variable counts as absent. `<NAME>_FILE` names a file
        with the value of a variable.

        :raises SettingError: some settings are invalid; the message names all of them.
        """
        _remove_empty_variables()
        _load_settings_file()
        env = FileAwareEnv(eager=False, strip_whitespace=True)
        try:
            config = _read(env)
            env.seal()
        except EnvValidationError as error:
            # Other methods of Env raise the error with a list, for one variable.
            messages = error.error_messages
            assert isinstance(messages, dict)
            lines = [f"{name}: {' '.join(texts)}" for name, texts in messages.items()]
            raise SettingError("\n".join(lines)) from None
        except ValueError as error:
            # The file that `<NAME>_FILE` names cannot be read.
            raise SettingError(str(error)) from None
        return config


def setting_names() -> set[str]:
    """Return the names of all settings. `Config.from_env` was called before."""
    env = FileAwareEnv(eager=False)
    _read(env)
    return {*env.dump(), "FEEDSVC_SETTINGS"}


def unknown_settings() -> list[str]:
    """Return a sentence for each variable that is named like a setting and is none.

    They are probably misspelled. `Config.from_env` was called before.
    """
    names = setting_names()
    short_names = {name.removeprefix("FEEDSVC_"): name for name in names}
    sentences = []
    for name in sorted(os.environ):
        if name.startswith("FEEDSVC_") and name.removesuffix("_FILE") not in names:
            short_name = name.removeprefix("FEEDSVC_")
            nearest = get_close_matches(short_name, short_names, n=1)
            hints = [f" Did you mean {short_names[each]}?" for each in nearest]
            sentences.append(f"{name} is not a setting.{''.join(hints)}")
    return sentences


def _read(env: FileAwareEnv) -> Config:
    """Return the settings; `env` collects the errors."""
    parsers = {
        "base_url": _parse_base_url,
        "header_url": _parse_header_url,
        "base_urls": _parse_base_urls,
        "language": check_language,
        "languages": _parse_languages,
        "timezone": zone,
    }
    for name, parse in parsers.items():
        env.add_parser(name, partial(validate, parse))
    members = _read_members(Config, env)
    return Config(
        site=_read_site(env, default_url=f"http://localhost:{members['port']}"),
        pages=PageSettings(**_read_members(PageSettings, env)),
        **members,
    )


def _read_members(settings: type[Any], env: FileAwareEnv) -> dict[str, Any]:
    """Return the members of a dataclass that `_setting` has made."""
    return {
        member.name: member.metadata["read"](env)
        for member in fields(settings)
        if member.metadata
    }


def _read_site(env: FileAwareEnv, default_url: str) -> Site:
    """Return the settings of the portal; `env` collects the errors."""
    public_url = env.header_url("FEEDSVC_PUBLIC_URL", default_url)
    language = env.language("FEEDSVC_SITE_LANGUAGE", "vi")
    languages = env.languages("FEEDSVC_SITE_LANGUAGES", "")
    # Both are None if they are wrong. Entries without a language are in the portal's.
    if language and languages:
        own = match_tag(languages, language) or language.lower()
        languages = tuple(dict.fromkeys((own, *languages)))
    return Site(
        public_url=public_url,
        url=env.base_url("FEEDSVC_SITE_URL", "") or public_url,
        title=env.str("FEEDSVC_SITE_TITLE", "Cổng thông tin điện tử thành phố Hà Nội"),
        description=env.str(
            "FEEDSVC_SITE_DESCRIPTION",
            "Tin tức và sự kiện của thành phố Hà Nội",
        ),
        language=language,
        timezone=env.timezone("FEEDSVC_SITE_TIMEZONE", "Asia/Ho_Chi_Minh"),
        icon=env.base_url("FEEDSVC_SITE_ICON", ""),
        rights=env.str("FEEDSVC_SITE_RIGHTS", ""),
        contact=env.str("FEEDSVC_SITE_CONTACT", "", validate=Email()),
        poll_minutes=env.int(
            "FEEDSVC_POLL_MINUTES", 15, validate=OneOf(_DIVISORS_OF_AN_HOUR)
        ),
        titles=_read_translations(env, "FEEDSVC_SITE_TITLE"),
        descriptions=_read_translations(env, "FEEDSVC_SITE_DESCRIPTION"),
        languages=languages if languages and len(languages) > 1 else (),
        **_read_extensions(env),
    )


def _read_extensions(env: FileAwareEnv) -> dict[str, Any]:
    """Return the members of `Site` that extensions read."""
    members: dict[str, Any] = {}
    for extension in extensions():
        members |= extension.read_settings(env)
    return members


def _read_translations(env: FileAwareEnv, name: str) -> dict[str, str]:
    """Return the texts of a setting by language, such as that of `<NAME>_EN`."""
    texts = {
        language: env.str(f"{name}_{language.upper()}", "") for language in UI_LANGUAGES
    }
    return {language: text for language, text in texts.items() if text}


def _load_settings_file() -> None:
    """Add the variables in the file that FEEDSVC_SETTINGS names to the environment.

    :raises SettingError: the file cannot be read.
    """
    path = os.environ.get("FEEDSVC_SETTINGS")
    if not path:
        return
    try:
        with open(path, encoding="utf-8") as file:
            # systemd, which may read the same file, has no interpolation either.
            variables = dotenv_values(stream=file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"FEEDSVC_SETTINGS: {error}") from None
    for name, value in variables.items():
        if value:
            os.environ.setdefault(name, value)


def _remove_empty_variables() -> None:
    # Compose passes a variable that nobody has set as an empty one.
    for name, value in list(os.environ.items()):
        is_setting = name.startswith("FEEDSVC_") or name in ("HOST", "PORT")
        if is_setting and not value:
            del os.environ[name]


def _parse_base_url(value: str) -> str:
    """Return an absolute http(s) URL without its last slash; a default may be empty."""
    if not value:
        return ""
    # Not marshmallow's URL: it refuses hosts with an underscore, as Compose has them.
    parts = urlsplit(value)
    is_http = parts.scheme in ("http", "https") and parts.hostname
    if not is_http or parts.query or parts.fragment:
        raise ValueError(
            "Must be an absolute http:// or https:// URL without query or fragment."
        )
    return value.rstrip("/")


def _parse_header_url(value: str) -> str:
    """Return a base URL that headers can carry."""
    if not value.isascii():
        raise ValueError(
            "Must be ASCII. Write the host as DNS does, such as xn--h-ni-0na4517b.vn."
        )
    return _parse_base_url(value)


def _parse_base_urls(value: str) -> tuple[str, ...]:
    """Return the absolute http(s) URLs in a list with commas, as they are."""
    urls = [url.strip() for url in value.split(",") if url.strip()]
    for url in urls:
        _parse_header_url(url)
    return tuple(urls)


def _parse_languages(value: str) -> tuple[str, ...]:
    """Return the language tags in a list with commas, in lower case."""
    tags = [tag.strip() for tag in value.split(",") if tag.strip()]
    return tuple(dict.fromkeys(check_language(tag).lower() for tag in tags))
