"""Settings of tests, which the environment of their process does not change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from unittest.mock import patch

from config import Config


def read_settings(environ: Mapping[str, str]) -> Config:
    """Return the settings in an environment that has no other variables."""
    with patch.dict(os.environ, environ, clear=True):
        return Config.from_env()


def setting_names() -> set[str]:
    """Return the names of all settings."""
    names = {field.name.upper() for field in fields(Config)}
    own = {"HOST", "PORT"}
    return own | {f"FEEDSVC_{name}" for name in names - own}
