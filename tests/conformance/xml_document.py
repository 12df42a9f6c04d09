"""Checks of every XML feed: well-formed, in UTF-8, with known namespaces."""

from __future__ import annotations

import re
import unicodedata
from email.message import Message

from lxml import etree

from tests.conformance.findings import PREFIXES, Element, Report, name
from tests.conformance.values import is_language, is_uri

XML = "XML 1.0"
NAMESPACES = "Namespaces in XML 1.0 §3"
VALIDATOR = "W3C feed validator"
XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"

_DECLARATION = re.compile(
    rb"""<\?xml version=(?:"1.0"|'1.0') encoding=["']([A-Za-z0-9._-]+)["']"""
)
_BAD_CHARACTER = re.compile("[\x7f-\x9f\ufdd0-\ufdef\ufffd\ufffe\uffff]")
_TWICE_ENCODED = re.compile("[\xc2-\xc3][\x80-\xbf]")


def parse(report: Report, media_type: str, root_tag: str) -> Element | None:
    """Return the root element, or None if it cannot be checked further."""
    document = report.document
    declared = _DECLARATION.match(document)
    if not declared:
        report.add(
            "/",
            f"{XML} §2.8",
            "does not begin with a declaration of version 1.0 and an encoding",
        )
    elif declared[1].lower() != b"utf-8":
        report.add("/", VALIDATOR + " NotUTF8", "is not in UTF-8", declared[1].decode())
    _check_charset(report, media_type)
    try:
        root = etree.fromstring(
            document, etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except etree.XMLSyntaxError as error:
        report.add("/", f"{XML} §2.1", "is not well-formed", str(error.msg))
        return None
    if b"<!DOCTYPE" in document:
        report.add("/", f"{XML} §2.8", "has a document type")
    if root.tag != root_tag:
        report.add(
            "/",
            VALIDATOR + " UnexpectedContentType",
            "does not match its media type",
            str(root.tag),
        )
        return None
    for element in root.iter(etree.Element):
        _check_namespaces(report, element)
        _check_characters(report, element)
        _check_xml_attributes(report, element)
    return root


def _check_charset(report: Report, media_type: str) -> None:
    header = Message()
    header["Content-Type"] = media_type
    charset = header.get_param("charset")
    if charset is not None and str(charset).lower() != "utf-8":
        report.add(
            "/",
            VALIDATOR + " EncodingMismatch",
            "is served with another charset",
            str(charset),
        )


def _check_namespaces(report: Report, element: Element) -> None:
    parent = element.getparent()
    inherited = {} if parent is None else parent.nsmap
    for prefix, uri in element.nsmap.items():
        if not uri or inherited.get(prefix) == uri:
            continue
        if uri not in PREFIXES:
            report.add(
                element,
                VALIDATOR + " UnknownNamespace",
                "declares an unknown namespace",
                uri,
            )
        elif prefix and prefix != PREFIXES[uri]:
            report.add(
                element,
                VALIDATOR + " NonstdPrefix",
                "declares a namespace by an unusual prefix",
                prefix,
            )
        elif (
            prefix in ("atom", "xhtml")
            and name(element.getroottree().getroot()) == "feed"
        ):
            report.add(
                element,
                VALIDATOR + " AvoidNamespacePrefix",
                "has a prefix that Atom readers do not expect",
            )


def _check_characters(report: Report, element: Element) -> None:
    for value in (element.text, element.tail, *element.attrib.values()):
        string = str(value or "")
        if _BAD_CHARACTER.search(string):
            report.add(
                element,
                f"{XML} §2.2",
                "contains characters to be avoided",
                ascii(string),
            )
        elif _TWICE_ENCODED.search(string) and _was_encoded_twice(string):
            report.add(
                element,
                VALIDATOR + " BadCharacters",
                "contains text that was encoded twice",
                string,
            )
        if string.isascii():
            continue
        if not unicodedata.is_normalized("NFC", string):
            report.add(
                element,
                "RFC 5198 §3",
                "contains text that is not in NFC",
                string,
            )


def _was_encoded_twice(string: str) -> bool:
    """Tell if its bytes as Latin-1 are UTF-8 once more."""
    return any(
        _decodes(part.encode("latin-1"))
        for part in re.findall("[\x80-\xff]+", string)
        if len(part) > 1
    )


def _decodes(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _check_xml_attributes(report: Report, element: Element) -> None:
    language = element.get(XML_NAMESPACE + "lang")
    if language is not None and not is_language(language):
        report.add(element, f"{XML} §2.12", "has an invalid xml:lang", language)
    base = element.get(XML_NAMESPACE + "base")
    if base is not None and not is_uri(base):
        report.add(
            element,
            "XML Base §3.1",
            "has an xml:base that is not an absolute URI",
            base,
        )
