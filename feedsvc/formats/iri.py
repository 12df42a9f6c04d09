"""IRIs as URIs (RFC 3987 §3.1), which is what RSS demands, and ids for Atom."""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote, urlsplit, urlunsplit


def iri_to_uri(iri: str) -> str:
    """The URI of an IRI: its path and query percent-encoded, its host in ASCII."""
    if iri.isascii() and "[" not in iri:
        return iri
    parts = urlsplit(iri)
    name, colon, port = (
        parts.netloc.partition(":")
        if "[" not in parts.netloc
        else (parts.netloc, "", "")
    )
    try:
        host = name.encode("idna").decode() + colon + port
    except UnicodeError:
        host = quote(parts.netloc, safe=":[]")
    rest = (quote(part, safe="/?%:@!$&'()*+,;=~-._") for part in parts[2:])
    return urlunsplit((parts.scheme, host, *rest))


def is_url(text: str | None) -> bool:
    """Whether rights are named by a URL instead of in words."""
    return re.fullmatch(r"https?://\S+", text or "") is not None


def atom_id(guid: str) -> str:
    """A guid as Atom wants it (RFC 4287 §4.2.6): an absolute IRI, else a UUID (v5) made from it."""
    if re.fullmatch(r'[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"\\^`{|}]+', guid):
        return guid
    return uuid.uuid5(uuid.NAMESPACE_URL, guid).urn
