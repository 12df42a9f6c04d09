"""Stored HTML through today's sanitizer, and a fingerprint of its rules."""

from __future__ import annotations

import ast
import hashlib
import inspect
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import nh3

from feedsvc.errors import Gone, NotFound
from feedsvc.ingest import html, text, urls
from feedsvc.ingest.schemas import derived_summary
from feedsvc.model import Entry, Site
from feedsvc.store import SANITIZE, Store, Writer


class StoredMarkup:
    """Sanitizes what is stored; `checked` and `changed` count entries, `refused` has a line for each."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store, self._site = store, site
        self.checked = self.changed = 0
        self.refused: list[str] = []

    def sanitize(self) -> Iterator[int]:
        """Sanitize all stored HTML, a transaction a batch; yield how many entries were checked since.

        An entry that changes has a new version and a step of the change log. It is safe to repeat, also
        after an interruption: what is as it should be writes nothing.

        :raises Unavailable: where the database cannot be read or written.
        """
        batch = self._store.markup.batch(0)
        while batch.entries:
            outdated = [entry for entry in batch.entries if self._sanitized(entry)[0] != entry]
            if outdated:
                with self._store.write(SANITIZE) as writer:
                    for entry in outdated:
                        self._update(entry.id, writer)
            self.checked += len(batch.entries)
            yield len(batch.entries)
            batch = self._store.markup.batch(batch.cursor)
        self._store.markup.note(fingerprint())

    def _update(self, id: str, writer: Writer) -> None:
        """Store an entry's sanitized form, unless another writer has done so since."""
        try:
            entry = writer.entry(id)
        except (Gone, NotFound):
            return
        sanitized, reason = self._sanitized(entry)
        if sanitized == entry:
            return
        writer.put(sanitized)
        self.changed += 1
        if reason:
            self.refused.append(f"{entry.kind}/{id}: {reason} Its body is plain text now.")

    def _sanitized(self, entry: Entry) -> tuple[Entry, str]:
        """Return an entry with its HTML as the sanitizer leaves it, and why it refuses that, if it does.

        HTML that is refused becomes plain text, which every format escapes.
        """
        if entry.content_html is None:
            return entry, ""
        body: dict[str, str | None]
        try:
            base = entry.url or self._site.permalink(entry.id)
            body, reason = {"content_html": html.sanitise(entry.content_html, base)}, ""
        except ValueError as error:
            body = {"content_html": None, "content_text": html.without_tags(entry.content_html)}
            reason = str(error)
        if body["content_html"] == entry.content_html:
            return entry, ""
        sanitized = replace(entry, **body)
        if reason or entry.summary == derived_summary(entry.content_html, None):
            summary = derived_summary(sanitized.content_html, sanitized.content_text)
            sanitized = replace(sanitized, summary=summary)
        return sanitized, reason


def fingerprint() -> str:
    """Return what is the same as long as the sanitizer's rules are: its code and its libraries' versions.

    Comments, docstrings and layout do not count.
    """
    rules = [nh3.__version__, unicodedata.unidata_version]
    for module in (html, text, urls):
        tree = ast.parse(inspect.getsource(module))
        for node in ast.walk(tree):
            _drop_docstrings(node)
        rules.append(ast.dump(tree))
    return hashlib.sha256("\n".join(rules).encode()).hexdigest()[:16]


def _drop_docstrings(node: ast.AST) -> None:
    body = getattr(node, "body", None)
    if isinstance(body, list):
        body[:] = [one for one in body if not _is_docstring(one)]


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
