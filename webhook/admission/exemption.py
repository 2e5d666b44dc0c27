"""The only code that spares a request a policy: declared exemptions, one matcher for webhook and command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from webhook.model.objects import labels_of
from webhook.model.request import AdmissionRequest, UserInfo
from webhook.model.selectors import selects
from webhook.policy.document import Exemption, Subject


def exempting(
    exemptions: Iterable[Exemption],
    policy: str,
    request: AdmissionRequest,
    *,
    namespace: Callable[[], Mapping[str, Any]],
    now: datetime,
) -> Exemption | None:
    """Return the exemption, if any, that spares this request the policy.

    ``namespace`` gives the Namespace object; it may raise FactUnavailable, and then nothing is exempted.
    """
    return next((one for one in exemptions if policy in one.policies and _covers(one, request, namespace, now)), None)


def _covers(
    exemption: Exemption, request: AdmissionRequest, namespace: Callable[[], Mapping[str, Any]], now: datetime
) -> bool:
    if now >= exemption.expires or (exemption.starts and now < exemption.starts):
        return False
    if exemption.operations and not {"*", request.operation} & set(exemption.operations):
        return False
    if exemption.namespaces and request.namespace not in exemption.namespaces:
        return False
    if exemption.names and request.subject.name not in exemption.names:
        return False
    if not any(_is(subject, request.user) for subject in exemption.subjects):
        return False
    if exemption.object_selector and not _selects_object(exemption.object_selector, request):
        return False
    return not exemption.namespace_selector or selects(exemption.namespace_selector, labels_of(namespace()))


def _selects_object(selector: Mapping[str, Any], request: AdmissionRequest) -> bool:
    """Every object there is must be selected: adding the label in the same write earns no exemption."""
    objects = [node for node in (request.object, request.old_object) if node is not None]
    return bool(objects) and all(selects(selector, labels_of(node)) for node in objects)


def _is(subject: Subject, user: UserInfo) -> bool:
    if subject.kind == "Group":
        return subject.name in user.groups
    if subject.kind == "ServiceAccount":
        return user.username == f"system:serviceaccount:{subject.namespace}:{subject.name}"
    return user.username == subject.name
