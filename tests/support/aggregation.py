"""What the clusterrole-aggregation-controller does, once: fill aggregated ClusterRoles with their rules.

Source: Kubernetes ``pkg/controller/clusterroleaggregation``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.kubectl import Kubectl


def aggregate(kubectl: Kubectl) -> None:
    """Give every ClusterRole with an aggregationRule the rules of the ClusterRoles its selectors match."""
    roles = kubectl.read("clusterroles")["items"]
    for _ in range(2):  # view is aggregated into edit, edit into admin
        for role in (role for role in roles if role.get("aggregationRule")):
            role["rules"] = _rules(role, roles)
    for role in (role for role in roles if role.get("aggregationRule")):
        patch = json.dumps({"rules": role["rules"]})
        kubectl.must("patch", "clusterrole", role["metadata"]["name"], "--type=merge", "-p", patch)


def _rules(role: Mapping[str, Any], roles: list[dict[str, Any]]) -> list[Any]:
    rules: list[Any] = []
    for selector in role["aggregationRule"]["clusterRoleSelectors"]:
        wanted = selector["matchLabels"].items()
        for other in sorted(roles, key=lambda other: str(other["metadata"]["name"])):
            if other is not role and wanted <= other["metadata"].get("labels", {}).items():
                rules += [rule for rule in other.get("rules") or [] if rule not in rules]
    return rules
