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
    SECRET_KEY="unused",
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

_BODY = os.environ.get("BASELINE_BODY", "")
_PUBLISHED = datetime.now(UTC)


class News(Feed):  # type: ignore[misc]
    """50 articles that need no database."""

    title, link, description = "Tin", "/", "Tin tức"
    feed_type = Rss201rev2Feed

    def items(self) -> range:
        """Return the numbers of the articles."""
        return range(50)

    def item_title(self, item: int) -> str:
        """Return the title of an article."""
        return f"Bài {item}"

    def item_description(self, item: int) -> str:
        """Return the body of an article."""
        return _BODY

    def item_link(self, item: int) -> str:
        """Return the URL of an article."""
        return f"/entries/{item}"

    def item_pubdate(self, item: int) -> datetime:
        """Return the publication date of an article."""
        return _PUBLISHED


def ready(request: Any) -> HttpResponse:
    """Answer that the service is ready."""
    return HttpResponse("ready")


urlpatterns = [path("feeds/news.rss", News()), path("readyz", ready)]
app = get_wsgi_application()
