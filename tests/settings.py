"""Settings of tests, which the environment of their process does not change."""

import inspect
import os
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any
from unittest.mock import patch

from feedsvc import config
from feedsvc.config import Config


def read_settings(environ: Mapping[str, str]) -> Config:
    """Return the settings in an environment that has no other variables."""
    with patch.dict(os.environ, environ, clear=True):
        return Config.from_env()


def setting_names() -> set[str]:
    """Return the names of all settings."""
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', inspect.getsource(config)))


def with_changes(settings: Config, **changes: Any) -> Config:
    """Return settings with changes; those of the portal may begin with `site_`."""
    names = {field.name for field in fields(settings)}
    own = {name: changes.pop(name) for name in changes.keys() & names}
    site = {name.removeprefix("site_"): value for name, value in changes.items()}
    return replace(settings, site=replace(settings.site, **site), **own)
