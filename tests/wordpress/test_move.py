"""A blog moves to the service as docs/connecting.md says."""

import re
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import feedparser
import pytest

from tests.integration.nginx import NGINX, run_nginx
from tests.server import Service, free_port, read_project_file
from tests.wordpress.blogs import (
    needs_wordpress,
    real_blog,
    run_documented_script,
)

pytestmark = [
    pytest.mark.wordpress,
    needs_wordpress,
    pytest.mark.skipif(not NGINX, reason="nginx is not installed"),
]

GUIDE = read_project_file("docs/connecting.md")

SITE = """
access_log off;
server {{
    listen 127.0.0.1:{port};
    {redirect}
    location / {{ proxy_pass {blog}; proxy_set_header Host $proxy_host; }}
}}
"""


def nginx(
    folder: Path, port: int, blog: str, redirect: str = ""
) -> AbstractContextManager[None]:
    """Run nginx before a blog, with the line that redirects its feed."""
    site = SITE.format(port=port, blog=blog, redirect=redirect)
    return run_nginx(folder, site, f"http://127.0.0.1:{port}/readme.html")


def list_articles(service: Service) -> dict[str, dict[str, Any]]:
    response = service.request("GET", "/api/v1/articles?limit=200")
    return {article["id"]: article for article in response.json()["items"]}


def test_reader_of_a_moved_feed_sees_nothing_twice(
    service: Service, tmp_path: Path
) -> None:
    with real_blog(tmp_path) as blog:
        blog.add_category("nghe-thuat", "Nghệ thuật")
        blog.add_category("am-nhac", "Âm nhạc", parent="nghe-thuat")
        topic = blog.add_category("тема", "Тема")
        guids = {
            10: "https://old.example/?lang=vi&p=7",
            20: "https://old.example/'",
        }
        # WordPress itself has written the first post, in the default category.
        for number in range(1, 50):
            _, entry_id = blog.save(
                post_title=f"Bài {number}",
                post_content="Hai làn. " * 60,
                post_excerpt="“Cầu”\n\n-- Báo" if number % 2 else "",
                image={"alt": "Cây cầu", "caption": "Cầu & sông"},
                post_status="publish",
                post_date_gmt=f"2026-11-01 01:{number:02}:00",
                post_category=["am-nhac", "тема"],
                guid=guids.get(number, ""),
            )
        port = free_port()
        old_feed = f"http://127.0.0.1:{port}/feed/"
        with nginx(tmp_path, port, blog.url):
            seen = {entry.id for entry in feedparser.parse(old_feed).entries}
        assert run_documented_script(service, blog.url) == ""
        articles = list_articles(service)
        # The plugin sends them too, under the same ids.
        service.request("PATCH", f"/api/v1/articles/{entry_id}", {"title": "x"})
        blog.connect(service)
        blog.pass_hour()
        (redirect,) = re.findall(r"location = /feed/ .*", GUIDE)
        redirect = redirect.replace("https://feeds.example", service.url)
        with nginx(tmp_path, port, blog.url, redirect):
            feed = feedparser.parse(old_feed)
    assert (len(seen), len(articles)) == (50, 50)
    changed = articles.pop(entry_id)
    sent_twice = list_articles(service)
    assert sent_twice.pop(entry_id)["title"] == changed["title"]
    assert sent_twice == articles, "the plugin sends what the script sends"
    assert changed["authors"] == [{"name": "Lan"}]
    assert changed["image"]["caption"] == "Cầu & sông"
    assert changed["summary"] == "“Cầu”\n— Báo"
    assert changed["categories"] == ["am-nhac", f"category-{topic}"]
    assert [] in [article["categories"] for article in articles.values()]
    summaries = Counter(article["summary"][:9] for article in articles.values())
    assert summaries["Hai làn. "] == 24
    assert feed.href == f"{service.url}/feeds/news.rss"
    assert {entry.id for entry in feed.entries} == seen
    category = service.request("GET", "/api/v1/categories/am-nhac").json()
    assert category["parent"] == "nghe-thuat"
