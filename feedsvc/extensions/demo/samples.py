"""Sample entries for a first look, stored through the API's schemas."""

import json
import re
from datetime import timedelta
from importlib.resources import files

from feedsvc.input.schemas import CategorySchema
from feedsvc.models import EPOCH
from feedsvc.services import Services
from feedsvc.storage.categories import put_category
from feedsvc.storage.entries import put_entry

#: The days from today of a date or a time in the file.
_RELATIVE_DAY = re.compile(r'(?<=")[+-][0-9]+(?=["T])')


def load_sample_data(services: Services) -> bool:
    """Load the samples, if nothing was written yet; return whether they were loaded.

    Dates in the file are days from today: `+3T19:00:00` is in three days at 19:00 in
    the site's time zone. `{pictures}` is the URL of the folder of pictures.
    """
    site = services.site
    text = files(__package__).joinpath("samples.json").read_text("utf-8")
    text = text.replace("{pictures}", f"{site.public_url}/static/samples")
    today = site.day_of(services.clock())

    def to_day(days: re.Match[str]) -> str:
        return str(today + timedelta(days=int(days[0])))

    samples = json.loads(_RELATIVE_DAY.sub(to_day, text))
    entries = [
        services.entry_schemas[kind].load(sample)
        for kind, name in (("news", "articles"), ("events", "events"))
        for sample in samples[name]
    ]
    with services.database.write("demo") as transaction:
        # Somebody has written already.
        if transaction.revisions.written_at > EPOCH:
            return False
        for category in CategorySchema().load(samples["categories"], many=True):
            put_category(transaction, category)
        for entry in entries:
            put_entry(transaction, entry)
    return True
