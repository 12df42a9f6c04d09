"""Sample entries for a first look: through the same door as everything else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Any

from feedsvc.api.schemas import CategorySchema, EntrySchema
from feedsvc.storage import Storage

_RELATIVE = re.compile(r"^([+-][0-9]+)(|T[0-9:]+)$")
_DATES = ("date_published", "start", "end")


def load_sample_data(store: Storage, schemas: Mapping[str, EntrySchema]) -> bool:
    """Load the samples into a store that has no category yet; returns whether it had none.

    Dates in the file are days from today: `+3T19:00:00` is in three days at 19:00 of the site's time.
    """
    with store.reader() as reader:
        if reader.categories.all():
            return False
    samples = json.loads(files(__package__).joinpath("samples.json").read_text("utf-8"))
    with store.writer("samples") as writer:
        for category in CategorySchema().load(samples["categories"], many=True):
            writer.categories.put(category)
    today = datetime.now(schemas["news"].site.timezone).date()
    entries = [
        schemas[kind].load(_resolve_dates(sample, today))
        for kind, name in (("news", "articles"), ("events", "events"))
        for sample in samples[name]
    ]
    with store.writer("samples") as writer:
        for entry in entries:
            writer.entries.put(entry)
    return True


def _resolve_dates(sample: Mapping[str, Any], today: date) -> dict[str, Any]:
    def absolute(found: re.Match[str]) -> str:
        return f"{today + timedelta(days=int(found[1]))}{found[2]}"

    return {
        name: _RELATIVE.sub(absolute, text) if name in _DATES else text
        for name, text in sample.items()
    }
