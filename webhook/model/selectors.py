"""Kubernetes label selectors.

Source: Kubernetes ``meta/v1`` LabelSelector and ``staging/src/k8s.io/apimachinery/pkg/labels/selector.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.model.objects import mapping, mappings, strings, text


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether a LabelSelector matches: all of matchLabels and matchExpressions; an empty one matches everything.

    ``NotIn`` and ``DoesNotExist`` hold where the key is absent. An unknown operator matches nothing.
    """
    if any(labels.get(key) != wanted for key, wanted in mapping(selector, "matchLabels").items()):
        return False
    return all(_holds(expression, labels) for expression in mappings(selector, "matchExpressions"))


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = text(expression, "key"), strings(expression, "values")
    match text(expression, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
