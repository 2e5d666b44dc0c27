"""What is asked of the API server, typed: the request part of an AdmissionReview.

Source: Kubernetes ``admission.k8s.io/v1`` types (``staging/src/k8s.io/api/admission/v1/types.go``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from webhook.model.objects import JSON, GroupVersionKind, GroupVersionResource, Object, ObjectRef, name_of, text


class Operation(StrEnum):
    """What the API server is about to do with the object."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


class Phase(StrEnum):
    """Which of the two webhook calls this is: mutation comes first, then validation sees the result."""

    MUTATE = "mutate"
    VALIDATE = "validate"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """Who the API server authenticated; an impersonated request shows only the impersonated user."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRequest:
    """One request; ``object`` is None on DELETE, ``old_object`` on CREATE. Both come without managedFields."""

    uid: str
    kind: GroupVersionKind
    resource: GroupVersionResource
    subresource: str = ""
    request_kind: GroupVersionKind | None = None
    request_resource: GroupVersionResource | None = None
    request_subresource: str = ""
    name: str = ""
    namespace: str = ""
    operation: Operation
    user: UserInfo
    object: Object | None = None
    old_object: Object | None = None
    options: JSON = None
    dry_run: bool = False

    @property
    def subject(self) -> ObjectRef:
        """The object the request is about; a name the server has yet to generate shows as ``prefix*``.

        The API server leaves the request's own name empty where it deletes a collection, object by object.
        """
        name = self.name or name_of(self.object) or name_of(self.old_object)
        if self.kind.group == "" and self.kind.kind == "Namespace":
            return ObjectRef(self.kind.kind, "", name)  # its request carries its name as the namespace too
        generated = text(self.object, "metadata", "generateName")
        return ObjectRef(self.kind.kind, self.namespace, name or (f"{generated}*" if generated else ""))
