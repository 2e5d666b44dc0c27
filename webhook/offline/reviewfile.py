"""An AdmissionReview from a file: JSON goes the same way as what the API server posts, YAML becomes JSON first."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from webhook.admission import review
from webhook.errors import InputError, ReviewError
from webhook.model.request import AdmissionRequest
from webhook.source import files


def read_review(filename: str) -> AdmissionRequest:
    """Read the review in a file; ``-`` is standard input. Raises InputError with its place."""
    name = "standard input" if filename == "-" else filename
    content = _content(filename, name)
    if not content.lstrip().startswith(b"{"):
        content = _json_from_yaml(content, name)
    try:
        return review.parse(content)
    except ReviewError as error:
        raise InputError(error.message, where=name, hint=error.hint) from error


def _content(filename: str, name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if filename == "-" else Path(filename).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=name) from error


def _json_from_yaml(content: bytes, name: str) -> bytes:
    try:
        documents, problems = files.parse(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8: byte {error.start}", where=name) from error
    if problems:
        raise InputError(problems[0].message, where=problems[0].where, hint=problems[0].hint)
    if len(documents) != 1:
        raise InputError(f"holds {len(documents)} documents, not one AdmissionReview", where=name)
    try:
        return json.dumps(documents[0].value, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"holds a value that JSON cannot have: {error}", where=name) from error
