"""The command that sanitizes stored HTML again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click
from flask.cli import with_appcontext

from feedsvc.api.sanitize import fingerprint, strip_tags
from feedsvc.api.sanitize import sanitize as sanitize_html
from feedsvc.api.schemas import derived_summary
from feedsvc.cli.output import help_epilog, progress_bar
from feedsvc.errors import Gone, NotFound
from feedsvc.models import Entry, Site
from feedsvc.services import current_services, current_storage
from feedsvc.storage import SANITIZE, Storage, Writer


@click.command(epilog=help_epilog("db sanitize"))
@with_appcontext
def sanitize() -> None:
    """Apply the current sanitizer rules to the HTML of all entries.

    A changed entry gets a new version, so that feeds, caches and followers of the
    changes receive it. HTML that the rules refuse becomes plain text; such entries are
    listed. It is safe to repeat.
    """
    storage = current_storage()
    resanitizer = Resanitizer(storage, current_services().site)
    with progress_bar(length=storage.stored_html.count()) as bar:
        for count in resanitizer.run():
            bar.update(count)
    for line in resanitizer.refused:
        click.echo(f"refused: {line}", err=True)
    for name in resanitizer.damaged:
        click.echo(
            f"damaged: {name}: It is unreadable and not published. PUT it again.",
            err=True,
        )
    click.echo(
        f"{resanitizer.checked} checked, {resanitizer.changed} changed, "
        f"{len(resanitizer.refused)} of them refused."
    )


class Resanitizer:
    """Sanitize stored HTML.

    `checked` and `changed` count entries, `refused` and `damaged` list them.
    """

    def __init__(self, storage: Storage, site: Site) -> None:
        self._storage = storage
        self._site = site
        self.checked = 0
        self.changed = 0
        self.refused: list[str] = []
        self.damaged: list[str] = []

    def run(self) -> Iterator[int]:
        """Sanitize all stored HTML in batches; yield how many entries each had.

        A changed entry gets a new version and a step of the change log. The run can be
        repeated, also after an interruption. The rules stay outdated as long as there
        are damaged entries, which are not sanitized.

        :raises Unavailable: the database cannot be read or written.
        """
        batch = self._storage.stored_html.batch(0)
        while batch.size:
            # Without the lock of a writer, which editors need meanwhile.
            outdated = [
                entry for entry in batch.entries if self._sanitized(entry)[0] != entry
            ]
            if outdated:
                with self._storage.writer(SANITIZE) as writer:
                    for entry in outdated:
                        self._update(entry.id, writer)
            self.checked += len(batch.entries)
            self.damaged += batch.damaged
            yield batch.size
            batch = self._storage.stored_html.batch(batch.cursor)
        if not self.damaged:
            self._storage.stored_html.note(fingerprint())

    def _update(self, entry_id: str, writer: Writer) -> None:
        """Store an entry's sanitized form, unless another writer has done so since."""
        try:
            entry = writer.reader.entries.get(entry_id)
        except (Gone, NotFound):
            return
        sanitized, reason = self._sanitized(entry)
        if sanitized == entry:
            return
        writer.entries.put(sanitized)
        self.changed += 1
        if reason:
            self.refused.append(
                f"{entry.kind}/{entry_id}: {reason} Its body is plain text now."
            )

    def _sanitized(self, entry: Entry) -> tuple[Entry, str]:
        """Return an entry with sanitized HTML, and why the sanitizer refuses it, if so.

        HTML that is refused becomes plain text, which every format escapes.
        """
        if entry.content_html is None:
            return entry, ""
        reason = ""
        content_html: str | None = None
        content_text = None
        try:
            content_html = sanitize_html(
                entry.content_html, self._site.entry_url(entry)
            )
        except ValueError as error:
            reason = str(error)
            content_text = strip_tags(entry.content_html)
        if content_html == entry.content_html:
            return entry, ""
        changed = replace(entry, content_html=content_html, content_text=content_text)
        if reason or entry.summary == derived_summary(entry.content_html, None):
            summary = derived_summary(content_html, content_text)
            changed = replace(changed, summary=summary)
        return changed, reason
