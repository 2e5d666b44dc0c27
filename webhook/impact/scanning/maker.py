"""Who made an object that already exists, as far as it tells: a scan has no requester to ask.

What controllers make is not judged as if a person had made it, as at admission. Their marks can be forged by whoever
may write the object. At admission nothing rests on them; here the worst that a forged mark does is to hide an object
from a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.kubevirt.migrateroles import STOCK_ROLES
from webhook.kubevirt.requester import WORKLOAD_UPDATE_ANNOTATION, Origin, accounts, located
from webhook.kubevirt.resources import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, HYPERCONVERGED, KUBEVIRT, VMIM
from webhook.model.facts import ClusterView
from webhook.model.objects import Object, annotations_of, labels_of, name_of, text
from webhook.model.request import UserInfo

SOMEBODY = "somebody"
"""How messages call whoever made an object."""

_STAMPED_ORIGIN, _STAMPED_PERSON = "migguard.io/origin", "migguard.io/requested-by"
_EVACUATION_ANNOTATION = "kubevirt.io/evacuationMigration"
_OPERATOR_LIFECYCLE_LABEL = "olm.owner.kind"
_DEFAULT_ROLES = frozenset({"cluster-admin", "admin", "edit", "view"})
"""Source: Kubernetes "Using RBAC Authorization", "User-facing roles"."""


def maker_of(obj: Object, parameters: Mapping[str, Any], view: ClusterView) -> UserInfo:
    """Return who made an object: an account of a controller, or somebody."""
    origin = _origin(obj, view)
    name = _person(obj) if origin is Origin.USER else _account(origin, located(parameters, view))
    return UserInfo(username=name or SOMEBODY, groups=("system:authenticated",))


def _origin(obj: Object, view: ClusterView) -> Origin:
    kind = text(obj, "kind")
    if kind == VMIM.kind:
        return _origin_of_migration(obj)
    if kind == KUBEVIRT.kind and view.last_known(HYPERCONVERGED):
        return Origin.OPERATOR  # it renders the HyperConverged, which is judged itself
    if kind in {CLUSTER_ROLE.kind, CLUSTER_ROLE_BINDING.kind} and _comes_with_software(obj):
        return Origin.OPERATOR
    return Origin.USER


def _origin_of_migration(vmim: Object) -> Origin:
    annotations = annotations_of(vmim)
    stamped = annotations.get(_STAMPED_ORIGIN, "")
    if stamped in list(Origin):
        return Origin(stamped)
    if WORKLOAD_UPDATE_ANNOTATION in annotations:
        return Origin.WORKLOAD_UPDATE
    return Origin.DRAIN if _EVACUATION_ANNOTATION in annotations else Origin.USER


def _comes_with_software(obj: Object) -> bool:
    """Say whether it is one of Kubernetes' default roles, of KubeVirt's, or of another operator's."""
    name = name_of(obj)
    known = name in STOCK_ROLES or name in _DEFAULT_ROLES or name.startswith("system:")
    return known or _OPERATOR_LIFECYCLE_LABEL in labels_of(obj)


def _person(obj: Object) -> str:
    return annotations_of(obj).get(_STAMPED_PERSON, "") if text(obj, "kind") == VMIM.kind else ""


def _account(origin: Origin, parameters: Mapping[str, Any]) -> str:
    """The full user name of an account of this origin; virt-controller's for what it creates."""
    wanted = Origin.OTHER_SYSTEM if origin in {Origin.DRAIN, Origin.WORKLOAD_UPDATE} else origin
    return next((name for name, found in accounts(parameters).items() if found is wanted), "")
