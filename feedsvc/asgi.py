"""The ASGI application, where deployments name it."""

from feedsvc.serving.asgi import app as app
