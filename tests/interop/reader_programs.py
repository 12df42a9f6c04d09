"""Programs that people read feeds with, each in a home of its own, subscribed to one feed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from abc import ABC, abstractmethod
from email import message_from_bytes, policy
from pathlib import Path


class Program(ABC):
    """A program with one subscription.

    `agent` is in its User-Agent; it sends validators from its fetch number `fetches` on;
    `unescapes_titles` is whether it takes titles for HTML once more than they are; others take them for
    plain text.
    """

    command = ""
    agent = ""
    fetches = 2
    unescapes_titles = False

    def __init__(self, home: Path, url: str) -> None:
        home.mkdir()
        self.home, self.url = home, url
        self.subscribe()

    def run(self, *arguments: str) -> None:
        """Run a command in the program's home."""
        environ = {
            **os.environ,
            "HOME": str(self.home),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
        }
        process = subprocess.run(
            arguments,
            env=environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        assert process.returncode == 0, process.stderr.decode()

    @abstractmethod
    def subscribe(self) -> None:
        """Subscribe to the feed."""

    @abstractmethod
    def fetch(self) -> None:
        """Look for news."""

    @abstractmethod
    def shown(self) -> list[tuple[str, str]]:
        """The titles and texts that it shows."""


class Newsboat(Program):
    """A reader in a terminal; it sends validators from its third fetch."""

    command, agent, fetches = "newsboat", "newsboat", 3

    def subscribe(self) -> None:
        (self.home / "urls").write_text(self.url)
        (self.home / "config").touch()

    def fetch(self) -> None:
        self.run(
            "newsboat", "-u", "urls", "-C", "config", "-c", "cache.db", "-x", "reload"
        )

    def shown(self) -> list[tuple[str, str]]:
        cache = sqlite3.connect(self.home / "cache.db")
        try:
            return list(
                cache.execute("SELECT title, content FROM rss_item WHERE NOT deleted")
            )
        finally:
            cache.close()


class Sfeed(Program):
    """Shell scripts that keep lines of text; conditional with the `fetch` that its manual gives."""

    command, agent = "sfeed_update", "sfeed"

    def subscribe(self) -> None:
        (self.home / "sfeedrc").write_text(
            "fetch() {\n"
            '    curl -f -s -m 15 -H "User-Agent: sfeed" --etag-save etag --etag-compare etag "$2"\n'
            "}\n"
            "feeds() {\n"
            f"    feed one {self.url}\n"
            "}\n"
        )

    def fetch(self) -> None:
        self.run("sfeed_update", "sfeedrc")

    def shown(self) -> list[tuple[str, str]]:
        lines = (self.home / ".sfeed/feeds/one").read_text("utf-8").splitlines()
        fields = [line.split("\t") for line in lines]
        return [(field[1], field[3]) for field in fields]


class Rss2email(Program):
    """Sends each new entry as a mail."""

    command, agent, unescapes_titles = "r2e", "rss2email", True

    def subscribe(self) -> None:
        (self.home / "mail").mkdir()
        (self.home / "r2e.cfg").write_text(
            "[DEFAULT]\nfrom = a@portal.example\nto = b@portal.example\n"
            f"email-protocol = maildir\nmaildir-path = {self.home}/mail\nmaildir-mailbox = inbox\n"
        )
        self._r2e("add", "one", self.url)

    def fetch(self) -> None:
        self._r2e("run")

    def _r2e(self, *arguments: str) -> None:
        self.run("r2e", "-c", "r2e.cfg", "-d", "r2e.json", *arguments)

    def shown(self) -> list[tuple[str, str]]:
        mails = [
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in (self.home / "mail/inbox/new").iterdir()
        ]
        return [(mail["Subject"], mail.get_content()) for mail in mails]
