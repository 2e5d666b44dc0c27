"""Rights of migguard's own, and the commands that give them.

They are plain RBAC, on resources that no API serves: nobody holds them but through a rule that names them, or a
wildcard. ``oc create clusterrole --resource=…`` refuses a resource that the API server does not serve, so the role is
applied as an object.

Source: Kubernetes ``kubectl/pkg/cmd/create/create_role.go`` (``validateResource``).
"""

from __future__ import annotations

import json
import shlex

from webhook.kubevirt.bindcommand import bind_command
from webhook.kubevirt.rbac import cluster_role_rules, rule_allows
from webhook.kubevirt.resources import CLUSTER_ROLE
from webhook.model.facts import Attributes, FactContext


def grant(context: FactContext, right: Attributes, role: str) -> str:
    """Return the commands that give the requester a right by binding the ClusterRole ``role``, made first if absent.

    The binding is for the namespace that the right is for; for the whole cluster where it is for none.
    """
    bind = bind_command(context.request.user, role, right.namespace, right.verb)
    rules = cluster_role_rules(context.view, role, context.deadline)
    if any(rule_allows(rule, right) for rule in rules):
        return bind
    return f"{_apply(right, role)} && {bind}"


def _apply(right: Attributes, role: str) -> str:
    rule = {"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}
    group = CLUSTER_ROLE.resource
    manifest = {
        "apiVersion": f"{group.group}/{group.version}",
        "kind": CLUSTER_ROLE.kind,
        "metadata": {"name": role},
        "rules": [rule],
    }
    return f"echo {shlex.quote(json.dumps(manifest, separators=(',', ':')))} | oc apply -f -"
