"""The settings, in a checkout: what feedsvc/config.py reads."""

from feedsvc.config import Config as Config
from feedsvc.config import SettingError as SettingError
