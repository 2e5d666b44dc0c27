"""The JSON Schemas of migguard's documents as editors and pipelines want them: one for each kind, and one for all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webhook.errors import UsageError
from webhook.policy import schema
from webhook.policy.spelling import nearest

KINDS = (*schema.KINDS, schema.TEST_KIND)
"""Every kind of document there is."""
COMBINED = "migguard"
"""What the schema of all kinds is called: for files that hold several, and for editors with one schema for a folder."""
_BASE = "https://migguard.io/schemas/v1alpha1"


def schema_of(kind: str) -> Mapping[str, Any]:
    """Return the schema of a kind, written in any case, or of all for COMBINED. Raises UsageError."""
    wanted = kind.lower()
    if wanted == COMBINED:
        return combined()
    found = next((known for known in KINDS if known.lower() == wanted), None)
    if found is None:
        names = (*KINDS, COMBINED)
        raise UsageError(f"'{kind}' is no kind of document", hint=nearest(kind, names) or f"one of {', '.join(names)}")
    return schema.schema(found)


def combined() -> Mapping[str, Any]:
    """Return one schema that chooses by ``kind``. It refers to nothing outside itself."""
    definitions: dict[str, Any] = {}
    for kind in KINDS:
        own = {key: part for key, part in schema.schema(kind).items() if key not in {"$schema", "$id", "$defs"}}
        inner = schema.schema(kind).get("$defs", {})
        definitions[kind] = _renamed(own, kind, inner)
        definitions |= {f"{kind}.{name}": _renamed(part, kind, inner) for name, part in inner.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_BASE}/{COMBINED}.json",
        "title": "migguard documents",
        "description": f"Any of migguard's documents: {', '.join(KINDS)}.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": schema.API_VERSION, "description": "Version of migguard's documents."},
            "kind": {"enum": list(KINDS), "description": "What the document is."},
        },
        "allOf": [
            {
                "if": {"required": ["kind"], "properties": {"kind": {"const": kind}}},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in KINDS
        ],
        "$defs": definitions,
    }


def _renamed(node: Any, kind: str, inner: Mapping[str, Any]) -> Any:
    """A copy whose references to definitions of its kind lead to where those stand in the combined schema."""
    if isinstance(node, Mapping):
        copied = {key: _renamed(part, kind, inner) for key, part in node.items()}
        name = str(node.get("$ref", "")).removeprefix("#/$defs/")
        return {**copied, "$ref": f"#/$defs/{kind}.{name}"} if name in inner else copied
    return [_renamed(item, kind, inner) for item in node] if isinstance(node, list) else node


def file_name(kind: str) -> str:
    """Return what the schema's file is called."""
    return f"{kind.lower()}.json"


def text_of(kind: str) -> str:
    """Return a schema as text, as it stands in its file."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, kinds: tuple[str, ...] = (*KINDS, COMBINED)) -> list[Path]:
    """Write schemas into a folder, which is made if need be; returns the files. Raises UsageError."""
    texts = {folder / file_name(kind): text_of(kind) for kind in kinds}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            file.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"the schemas cannot be written: {error.strerror}", where=str(folder)) from error
    return list(texts)
