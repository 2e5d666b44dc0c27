"""One object as a request: its creation as it stands, or the migration of a VM that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.impact.scanning.inventory import Item
from webhook.impact.scanning.maker import SOMEBODY, maker_of
from webhook.kubevirt.resources import VMIM
from webhook.model.facts import ClusterView, WatchedResource
from webhook.model.objects import GroupVersionKind, Object, name_of, namespace_of, text
from webhook.model.request import AdmissionRequest, Operation
from webhook.offline.request import request_of
from webhook.policy.match import NAMESPACES

UID = "scan"


def creation_of(item: Item, parameters: Mapping[str, Any], view: ClusterView) -> AdmissionRequest:
    """Return the request that would create an object as it stands, by who made it as far as it tells."""
    obj, resource = item.obj, item.resource
    api_version = text(obj, "apiVersion")
    kind = GroupVersionKind(resource.group, api_version.rpartition("/")[2], text(obj, "kind"))
    return AdmissionRequest(
        uid=UID,
        kind=kind,
        resource=resource,
        request_kind=kind,
        request_resource=resource,
        name=name_of(obj),
        namespace=name_of(obj) if resource.resource == NAMESPACES.resource else namespace_of(obj),
        operation=Operation.CREATE,
        user=maker_of(obj, parameters, view),
        object=obj,
    )


def migration_of(vmi: Object) -> AdmissionRequest:
    """Return the request of a person for a migration of a VM."""
    return request_of(
        {
            "operation": "CREATE",
            "user": {"username": SOMEBODY},
            "object": {
                "apiVersion": "kubevirt.io/v1",
                "kind": VMIM.kind,
                "metadata": {"generateName": f"{name_of(vmi)}-", "namespace": namespace_of(vmi)},
                "spec": {"vmiName": name_of(vmi)},
            },
        },
        UID,
    )


@dataclass(frozen=True, slots=True)
class Without:
    """A cluster view without one object: what is judged as if it were created is not there yet."""

    view: ClusterView
    watched: WatchedResource
    namespace: str
    name: str

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """See ClusterView."""
        found = self.view.get(watched, namespace, name)
        return None if found is not None and self._is_hidden(watched, found) else found

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        """See ClusterView."""
        return self._shown(watched, self.view.select(watched, index, key))

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return self._shown(watched, self.view.list(watched))

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return self._shown(watched, self.view.last_known(watched))

    def _shown(self, watched: WatchedResource, found: Sequence[Object]) -> Sequence[Object]:
        if watched is not self.watched:
            return found
        return [obj for obj in found if not self._is_hidden(watched, obj)]

    def _is_hidden(self, watched: WatchedResource, obj: Object) -> bool:
        return watched is self.watched and (namespace_of(obj), name_of(obj)) == (self.namespace, self.name)
