"""`/.well-known/security.txt`: where to report a vulnerability (RFC 9116)."""

from __future__ import annotations

from dateutil.relativedelta import relativedelta
from flask import Blueprint, Response

from feedsvc.models import Clock, Site

SECURITY_TXT = "/.well-known/security.txt"

_MONTHS = 11
"""Months from the current one to the expiry: RFC 9116 §2.5.5 wants less than a year."""


def security_txt_blueprint(contact: str, site: Site, clock: Clock) -> Blueprint:
    """Return the blueprint of the file.

    :param contact: a URI; if it is empty, there is no file.
    """
    blueprint = Blueprint("security_txt", __name__)
    if not contact:
        return blueprint

    @blueprint.get(SECURITY_TXT)
    def security_txt() -> Response:
        """Answer with the file, which never expires while the service runs."""
        month = clock().replace(day=1) + relativedelta(months=_MONTHS)
        languages = dict.fromkeys([site.language, "en"])
        lines = [
            f"Contact: {contact}",
            # The start of a month, so that all workers agree.
            f"Expires: {month:%Y-%m}-01T00:00:00Z",
            f"Preferred-Languages: {', '.join(languages)}",
            f"Canonical: {site.public_url}{SECURITY_TXT}",
        ]
        body = "".join(f"{line}\r\n" for line in lines)
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(body, mimetype="text/plain", headers=headers)

    return blueprint
