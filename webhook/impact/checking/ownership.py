"""Which fields of an object would go if they left Git, by what server-side apply notes on it.

Source: Kubernetes documentation, "Server-Side Apply", "Field management": a field that an apply leaves out goes if its
manager owned it and no other does; ``structured-merge-diff`` ``fieldpath`` (``f:`` is a field, ``k:`` and ``v:`` are
items of a list, ``.`` is the field itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from webhook.model.objects import JSON, Object, mapping, mappings, text

_FIELD = "f:"

_Fields: TypeAlias = "dict[str, _Fields]"
"""By name; empty for a field that is owned whole."""


def without_applied(obj: Object) -> dict[str, JSON] | None:
    """Return what stays of an object if an apply leaves out all fields that it may; None if that is not known.

    It is known where one manager alone applies on the server's side, as Flux and Argo CD do: whoever applies next is
    taken to be that one. Lists go or stay whole.
    """
    managers = [one for one in mappings(obj, "metadata", "managedFields") if not text(one, "subresource")]
    applying = [one for one in managers if text(one, "operation") == "Apply"]
    if len(applying) != 1:
        return None
    owned = _fields(mapping(applying[0], "fieldsV1"))
    for other in managers:
        if other is not applying[0]:
            owned = _less(owned, _fields(mapping(other, "fieldsV1")))
    return _without(obj, owned)


def _fields(node: Mapping[str, JSON]) -> _Fields:
    return {key.removeprefix(_FIELD): _fields(mapping(node, key)) for key in node if key.startswith(_FIELD)}


def _less(owned: _Fields, others: _Fields) -> _Fields:
    left: _Fields = {}
    for key, below in owned.items():
        if key not in others:
            left[key] = below
        elif below and others[key] and (rest := _less(below, others[key])):
            left[key] = rest
    return left


def _without(obj: Mapping[str, JSON], owned: _Fields) -> dict[str, JSON]:
    made: dict[str, JSON] = {}
    for key, item in obj.items():
        below = owned.get(key)
        if below is None:
            made[key] = item
        elif below and isinstance(item, dict) and (rest := _without(item, below)):
            made[key] = rest
    return made
