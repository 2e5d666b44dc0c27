"""JSON Schemas of migguard's documents, and errors that say where, what and what was probably meant."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, ValidationError

from webhook.errors import InputError, Problem
from webhook.model.objects import JSON, mapping
from webhook.policy.formats import FORMATS
from webhook.policy.spelling import nearest
from webhook.source.files import Document

API_VERSION = "migguard.io/v1alpha1"
KINDS = ("GuardPolicy", "GuardPolicyBinding", "Exemption", "Parameters")
"""The documents that make a policy set."""
TEST_KIND = "PolicyTest"
"""Lies beside the policies and is read by ``migguard test`` only."""


@cache
def schema(kind: str) -> Mapping[str, Any]:
    """Return the JSON Schema of a kind."""
    text = resources.files("webhook.policy").joinpath("schemas", f"{kind.lower()}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schema(kind), format_checker=FORMATS)


def check(document: Document, kind: str) -> list[Problem]:
    """Hold a document against the schema of its kind and return every problem, in file order."""
    problems = [
        problem for error in _validator(kind).iter_errors(document.value) for problem in _explain(error, document)
    ]
    return sorted(dict.fromkeys(problems), key=lambda problem: [int(part) for part in problem.where.rsplit(":", 2)[1:]])


def check_value(value: JSON, value_schema: Mapping[str, Any]) -> list[str]:
    """Hold any value against a schema; one text per error, such as ``maxParallel: 'x' is not of type 'integer'``."""
    texts = []
    for error in Draft202012Validator(value_schema, format_checker=FORMATS).iter_errors(value):
        path = ".".join(str(step) for step in error.absolute_path)
        message = str(error.cause or error.message)
        texts.append(f"{path}: {message}" if path else message)
    return sorted(texts)


def check_schema(value_schema: JSON) -> str:
    """Return why this is not a JSON Schema of an object that we can use; empty if it is one.

    References are not followed: as in a CustomResourceDefinition, a schema is written out.
    """
    try:
        Draft202012Validator.check_schema(value_schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        return str(error.message)
    return "$ref is not supported, write the schema out" if _refers(value_schema) else ""


def _refers(node: JSON) -> bool:
    if isinstance(node, Mapping):
        own = isinstance(node.get("$ref"), str) or isinstance(node.get("$dynamicRef"), str)
        return own or any(map(_refers, node.values()))
    return isinstance(node, list) and any(map(_refers, node))


def defaults(value_schema: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``value`` with the schema's defaults filled in where a property is absent.

    That goes for nested objects and for the objects of a list too.
    """
    filled = dict(value)
    for name, child in mapping(value_schema, "properties").items():
        if not isinstance(child, Mapping):  # true and false are schemas too
            continue
        if name not in filled and "default" in child:
            filled[name] = child["default"]
        if name in filled:
            filled[name] = _defaults_within(child, filled[name])
    return filled


def _defaults_within(value_schema: Mapping[str, Any], value: JSON) -> JSON:
    if isinstance(value, Mapping) and "properties" in value_schema:
        return defaults(value_schema, value)
    item_schema = value_schema.get("items")
    if isinstance(value, list) and isinstance(item_schema, Mapping):
        return [_defaults_within(item_schema, item) for item in value]
    return value


def _explain(error: ValidationError, document: Document) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    where = document.where(path)
    field = _dotted(path)
    rule: Any = error.schema
    wanted: Any = error.validator_value
    given: Any = error.instance
    if error.validator == "additionalProperties":
        known = rule.get("properties", {})
        for name in sorted(set(given) - set(known)):
            hint = nearest(name, known) or f"known here: {', '.join(sorted(known))}"
            yield Problem(document.where((*path, name)), f"unknown field '{_dotted((*path, name))}'", hint)
    elif error.validator == "required":
        for name in sorted(set(wanted) - set(given)):
            yield Problem(where, f"{field or 'the document'} lacks the required field '{name}'")
    elif error.validator == "enum":
        allowed = [str(item) for item in wanted]
        hint = nearest(str(given), allowed) or f"allowed: {', '.join(allowed)}"
        yield Problem(where, f"{field} is {json.dumps(given)}", hint)
    elif error.validator == "anyOf" and all("required" in choice for choice in wanted):
        choices = " or ".join("'" + choice["required"][0] + "'" for choice in wanted)
        yield Problem(where, f"{field or 'the document'} needs {choices}")
    elif error.validator == "not" and "required" in wanted:
        yield Problem(where, f"{field} cannot have '{wanted['required'][0]}' here")
    else:
        yield Problem(where, *_other(error, field))


def _other(error: ValidationError, field: str) -> tuple[str, str]:
    """Message and hint for what the validator itself says well enough, with two exceptions."""
    if isinstance(error.cause, InputError):
        return f"{field}: {error.cause.message}", error.cause.hint
    if error.validator == "not" and field.endswith("validationActions"):
        return f"{field} holds both Deny and Warn", "a refusal carries its own text: choose one of them"
    return f"{field or 'the document'}: {_short(error.message)}", ""


def _dotted(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _short(message: str, limit: int = 200) -> str:
    return message if len(message) <= limit else f"{message[:limit]}…"
