"""The same feeds by Django's syndication framework, with Django's cache of responses."""

import os
from collections.abc import Sequence

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils.feedgenerator import Atom1Feed

from bench.by_hand import SITE, make_json

settings.configure(
    ALLOWED_HOSTS=["*"],
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # By default it is culled at 300.
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    },
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DATABASE"],
            "CONN_MAX_AGE": None,
        }
    },
    # In the order of Django's documentation.
    MIDDLEWARE=[
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="bench",
    USE_TZ=True,
)
application = get_wsgi_application()


class Article(models.Model):  # type: ignore[misc]
    """An article, in the table of the service by hand."""

    id = models.CharField(primary_key=True)
    category = models.CharField()
    title = models.CharField()
    summary = models.CharField()
    content_html = models.CharField()
    published = models.DateTimeField()

    class Meta:
        app_label = "bench"
        db_table = "articles"


class RSS(Feed):  # type: ignore[misc]
    """The newest 50 articles of a category."""

    link = SITE

    def get_object(self, request: HttpRequest, category: str) -> str:
        return category

    def title(self, category: str) -> str:
        return category

    description = title

    def items(self, category: str) -> Sequence[Article]:
        return newest(category)

    def item_title(self, article: Article) -> str:
        return str(article.title)

    def item_description(self, article: Article) -> str:
        return str(article.content_html)

    def item_link(self, article: Article) -> str:
        return f"{SITE}/entries/{article.id}"

    def item_categories(self, article: Article) -> list[str]:
        return [article.category]

    def item_pubdate(self, article: Article) -> object:
        return article.published


class Atom(RSS):
    """The same as Atom."""

    feed_type = Atom1Feed


def json(request: HttpRequest, category: str) -> JsonResponse:
    """Return the same as JSON Feed."""
    return JsonResponse(make_json(category, newest(category)))


def newest(category: str) -> Sequence[Article]:
    """Return the newest 50 articles of a category."""
    articles = Article.objects.filter(category=category)
    return list(articles.order_by("-published")[:50])


urlpatterns = [
    path("feeds/news/<category>.rss", RSS()),
    path("feeds/news/<category>.atom", Atom()),
    path("feeds/news/<category>.json", json),
]
