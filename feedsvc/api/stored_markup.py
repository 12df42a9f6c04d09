"""Stored HTML through today's sanitizer, and a fingerprint of its rules."""

from __future__ import annotations

import ast
import hashlib
import inspect
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

from feedsvc import embeds
from feedsvc.api import sanitize, text, urls
from feedsvc.api.schemas import derived_summary
from feedsvc.errors import Gone, NotFound
from feedsvc.models import Entry, Site
from feedsvc.storage import SANITIZE, Storage, Writer


class StoredMarkup:
    """Sanitizes what is stored; `checked` and `changed` count entries, `refused` and `damaged` list them."""

    def __init__(self, store: Storage, site: Site) -> None:
        self._store, self._site = store, site
        self.checked = self.changed = 0
        self.refused: list[str] = []
        self.damaged: list[str] = []

    def sanitize(self) -> Iterator[int]:
        """Sanitize all stored HTML, a transaction a batch; yield how many entries were checked since.

        An entry that changes has a new version and a step of the change log. It is safe to repeat, also
        after an interruption: what is as it should be writes nothing. Entries that cannot be read are not
        sanitized, so the rules stay due as long as there are some.

        :raises Unavailable: where the database cannot be read or written.
        """
        batch = self._store.markup.batch(0)
        while batch.size:
            outdated = [
                entry for entry in batch.entries if self._sanitized(entry)[0] != entry
            ]
            if outdated:
                with self._store.writer(SANITIZE) as writer:
                    for entry in outdated:
                        self._update(entry.id, writer)
            self.checked += len(batch.entries)
            self.damaged += batch.damaged
            yield batch.size
            batch = self._store.markup.batch(batch.cursor)
        if not self.damaged:
            self._store.markup.note(fingerprint())

    def _update(self, id: str, writer: Writer) -> None:
        """Store an entry's sanitized form, unless another writer has done so since."""
        try:
            entry = writer.reader.entries.get(id)
        except (Gone, NotFound):
            return
        sanitized, reason = self._sanitized(entry)
        if sanitized == entry:
            return
        writer.entries.put(sanitized)
        self.changed += 1
        if reason:
            self.refused.append(
                f"{entry.kind}/{id}: {reason} Its body is plain text now."
            )

    def _sanitized(self, entry: Entry) -> tuple[Entry, str]:
        """Return an entry with its HTML as the sanitizer leaves it, and why it refuses that, if it does.

        HTML that is refused becomes plain text, which every format escapes.
        """
        if entry.content_html is None:
            return entry, ""
        reason, content_text = "", None
        sanitized: str | None = None
        try:
            sanitized = sanitize.sanitize(
                entry.content_html, entry.url or self._site.permalink(entry.id)
            )
        except ValueError as error:
            reason, content_text = str(error), sanitize.without_tags(entry.content_html)
        if sanitized == entry.content_html:
            return entry, ""
        changed = replace(entry, content_html=sanitized, content_text=content_text)
        if reason or entry.summary == derived_summary(entry.content_html, None):
            changed = replace(changed, summary=derived_summary(sanitized, content_text))
        return changed, reason


def fingerprint() -> str:
    """Return what is the same as long as the sanitizer's rules are: its code and its libraries' versions.

    Comments, docstrings and layout do not count.
    """
    rules = [version("nh3"), unicodedata.unidata_version]
    for module in (embeds, sanitize, text, urls):
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
