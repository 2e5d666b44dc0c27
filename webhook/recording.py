"""What goes on record of a request besides the decision, so that it can be made again: by the server, and by tools."""

from __future__ import annotations

from webhook.audit.basis import Basis, Keeping
from webhook.audit.pruning import Path as FieldPath
from webhook.errors import FactUnavailable
from webhook.kubevirt.recorded import recorded
from webhook.kubevirt.resources import NAMESPACE
from webhook.model.facts import ClusterView
from webhook.model.fieldpath import steps
from webhook.model.objects import GroupVersionResource
from webhook.model.request import AdmissionRequest
from webhook.policy import fieldsread
from webhook.policy.policyset import PolicySet


def keeping(policies: PolicySet) -> Keeping:
    """Return what goes on record of requests while these policies are in force, so that they can be decided again."""
    fields = fieldsread.of_objects(policies.policies)

    def wanted(resource: GroupVersionResource) -> tuple[set[FieldPath], set[FieldPath]]:
        read = fields(resource)
        return {*read.whole, *map(steps, recorded(resource))}, set(read.present)

    return Keeping(policies.revision, policies.parameters, wanted)


def basis(keep: Keeping, view: ClusterView, request: AdmissionRequest, revision: str) -> Basis:
    """Return what the record of a request keeps besides its facts."""
    try:
        namespaced = request.namespace and request.resource != NAMESPACE.resource
        namespace = view.get(NAMESPACE, "", request.namespace) if namespaced else None
    except FactUnavailable as error:
        return keep.basis(request, revision, None, str(error))
    return keep.basis(request, revision, namespace)
