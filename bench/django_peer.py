"""Django's syndication framework with its cache in memory, gzip and conditional requests."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import django
from django.conf import settings
from django.contrib.syndication.views import Feed
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.utils.feedgenerator import Rss201rev2Feed

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no use",
    USE_TZ=True,
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    CACHE_MIDDLEWARE_SECONDS=600,
    MIDDLEWARE=[
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ],
)
django.setup()

_BODY = os.environ.get("PEER_BODY", "")
_MADE = datetime.now(UTC)


class News(Feed):  # type: ignore[misc]
    """50 articles that need no database."""

    title, link, description = "Tin", "/", "Tin tức"
    feed_type = Rss201rev2Feed

    def items(self) -> range:
        """The articles' numbers."""
        return range(50)

    def item_title(self, item: int) -> str:
        """The title of one."""
        return f"Bài {item}"

    def item_description(self, item: int) -> str:
        """Its body."""
        return _BODY

    def item_link(self, item: int) -> str:
        """Its URL."""
        return f"/entries/{item}"

    def item_pubdate(self, item: int) -> datetime:
        """When it was published."""
        return _MADE


def ready(request: Any) -> HttpResponse:
    """It serves."""
    return HttpResponse("ready")


urlpatterns = [path("feeds/news.rss", News()), path("readyz", ready)]
app = get_wsgi_application()
