"""gunicorn's settings, where deployments name them."""

from feedsvc.serving.gunicorn_conf import *  # noqa: F403
