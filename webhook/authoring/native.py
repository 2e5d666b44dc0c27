"""What of an expression the API server's own admission policies understand, and how they would write it.

They know ``object``, ``oldObject``, ``request``, ``namespaceObject``, ``authorizer`` and ``variables``; of our facts
only those that say no more than ``request`` does have an equivalent.

Source: Kubernetes ``staging/src/k8s.io/apiserver/pkg/cel/environment/base.go`` (libraries) and
``pkg/admission/plugin/cel``; each row was tried on kube-apiserver 1.36 (tests/e2e/test_native_policies.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhook.authoring.literals import literal
from webhook.kubevirt.requester import WORKLOAD_UPDATE_ANNOTATION, accounts, migrating_accounts

ORIGIN_VARIABLE = "requesterOrigin"
PARAMS_VARIABLE = "params"
"""Under these names the origin of the requester and the parameters are variables of an exported policy."""

_USER = "request.userInfo"
OMITTED: Mapping[str, str] = {
    "request.name": "request.?name.orValue('')",
    "request.namespace": "request.?namespace.orValue('')",
    "request.subResource": "request.?subResource.orValue('')",
    "request.requestSubResource": "request.?requestSubResource.orValue('')",
    f"{_USER}.username": f"{_USER}.?username.orValue('')",
    f"{_USER}.uid": f"{_USER}.?uid.orValue('')",
    f"{_USER}.groups": f"{_USER}.?groups.orValue([])",
    f"{_USER}.extra": f"{_USER}.?extra.orValue({{}})",
}
"""Fields of the request that the API server leaves out where they are empty, while to us they are there.

Source: the ``omitempty`` fields of ``admission.k8s.io/v1`` AdmissionRequest, which becomes an unstructured value.
"""

EQUIVALENTS: Mapping[str, str] = {
    **{f"requester.{name}": OMITTED[f"{_USER}.{name}"] for name in ("username", "uid", "groups", "extra")},
    "requester.origin": f"variables.{ORIGIN_VARIABLE}",
}
"""Facts that ``request`` says too."""

PEOPLE = ("User", "VirtAPI")
"""Origins that an evaluation error refuses, see :mod:`webhook.admission.answer`."""


def origin(parameters: Mapping[str, Any]) -> str:
    """Return the expression of ``requester.origin`` for the accounts that these parameters name.

    The webhook looks where KubeVirt really is; here the install namespaces are as good as the parameters say.
    """
    by_origin: dict[str, list[str]] = {}
    for account, kind in accounts(parameters).items():
        by_origin.setdefault(str(kind), []).append(account)
    controllers = migrating_accounts(parameters)
    marked = (
        "has(object.metadata.annotations) && type(object.metadata.annotations) == map "
        f"&& {literal(WORKLOAD_UPDATE_ANNOTATION)} in object.metadata.annotations"
    )
    creates = (
        "request.operation == 'CREATE' && request.resource.group == 'kubevirt.io' "
        "&& request.resource.resource == 'virtualmachineinstancemigrations' "
        f"&& {OMITTED['request.subResource']} == ''"
    )
    username = EQUIVALENTS["requester.username"]
    system = "".join(f"{username} in {_names(names)} ? {literal(kind)} : " for kind, names in sorted(by_origin.items()))
    return (
        f"{username} in {_names(controllers)} && {creates} ? ({marked} ? 'WorkloadUpdate' : 'Drain') : {system}'User'"
    )


def _names(names: Sequence[str]) -> str:
    return f"[{', '.join(literal(name) for name in sorted(names))}]"


def replacement(dotted: str, *, params: str, requester_origin: str) -> str | None:
    """Return what the API server calls a name (or a beginning of a chain of fields), or None if it is the same.

    Args:
        dotted: Such as ``params`` or ``requester.username``.
        params: What stands for ``params``.
        requester_origin: What stands for ``requester.origin``.
    """
    if dotted == "params":
        return params
    if dotted == "requester.origin":
        return requester_origin
    return EQUIVALENTS.get(dotted) or OMITTED.get(dotted)
