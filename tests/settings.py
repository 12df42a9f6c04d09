"""Settings of tests, which the environment of their process does not change."""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any
from unittest.mock import patch

from feedsvc import config
from feedsvc.config import Config
from feedsvc.text.languages import UI_LANGUAGES


def read_settings(environ: Mapping[str, str]) -> Config:
    """Return the settings in an environment that has no other variables."""
    with patch.dict(os.environ, environ, clear=True):
        return Config.from_env()


def setting_names() -> set[str]:
    """Return the names of all settings, but for texts in other languages."""
    with patch.dict(os.environ, clear=True):
        names = config.setting_names()
    texts = {
        f"{name}_{language}".upper() for name in names for language in UI_LANGUAGES
    }
    return names - texts - {"FEEDSVC_SETTINGS"}


def with_changes(settings: Config, **changes: Any) -> Config:
    """Return settings with changes; those of the portal may begin with `site_`."""
    changes = {name.removeprefix("site_"): value for name, value in changes.items()}
    site = replace(settings.site, **_pop_members(settings.site, changes))
    pages = replace(settings.pages, **_pop_members(settings.pages, changes))
    return replace(settings, site=site, pages=pages, **changes)


def _pop_members(value: Any, changes: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(value)} & changes.keys()
    return {name: changes.pop(name) for name in names}
