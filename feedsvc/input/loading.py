"""Load documents by schemas, with a JSON pointer to each error (RFC 6901)."""

from typing import Any

from marshmallow import Schema, ValidationError
from marshmallow.exceptions import SCHEMA

from feedsvc.errors import FieldError, ValidationFailed

#: Errors of one document that a response lists.
MAX_ERRORS = 500


def load_validated(schema: Schema, document: Any) -> Any:
    """Return the value that a schema loads from a document.

    :raises ValidationFailed: with a pointer to each error.
    """
    try:
        return schema.load(document)
    except ValidationError as error:
        errors = _field_errors(error.messages)
        raise ValidationFailed(*errors[:MAX_ERRORS]) from None


def load_patched(schema: Schema, stored: dict[str, Any], patch: dict[str, Any]) -> Any:
    """Return the value that a schema loads from a patched document (RFC 7396).

    :raises ValidationFailed: as `load_validated`, or the patch removes an unknown
        member.
    """
    patched = apply_merge_patch(stored, patch)
    # A null would vanish in the patched document, and a misspelt name with it.
    unknown = {name: patch[name] for name in patch if name not in schema.fields}
    return load_validated(schema, patched | unknown)


def apply_merge_patch(document: Any, patch: Any) -> Any:
    """Return a document with a JSON merge patch applied (RFC 7396 §2)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = apply_merge_patch(merged.get(name), value)
    return merged


def _field_errors(messages: Any, pointer: str = "#") -> list[FieldError]:
    """Return marshmallow's nested messages as errors with pointers."""
    if not isinstance(messages, dict):
        return [FieldError(pointer, _encodable(message)) for message in messages]
    errors = []
    for name, nested in messages.items():
        if name == SCHEMA:
            errors += _field_errors(nested, pointer)
        else:
            escaped = _encodable(name).replace("~", "~0").replace("/", "~1")
            errors += _field_errors(nested, f"{pointer}/{escaped}")
    return errors


def _encodable(value: object) -> str:
    """Return a text without lone surrogates, which a response cannot be encoded with.

    Names of members may have them, and messages that quote a value.
    """
    return str(value).encode("utf-8", "backslashreplace").decode()
