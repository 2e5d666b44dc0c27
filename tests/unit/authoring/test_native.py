"""What the API server understands of an expression; tests/e2e/test_native_policies.py asks the API server itself."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import PARAMETERS
from webhook.authoring import native
from webhook.kubevirt.requester import WORKLOAD_UPDATE_ANNOTATION, classify
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.policy.cel import Compiler, activation
from webhook.policy.document import Text
from webhook.source.files import Document
from webhook.source.parsed import Place

REQUEST = AdmissionRequest(
    uid="1",
    kind=GroupVersionKind("kubevirt.io", "v1", "VirtualMachineInstanceMigration"),
    resource=GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstancemigrations"),
    name="move",
    namespace="prod",
    operation=Operation.CREATE,
    user=UserInfo(username="alice"),
    object={"metadata": {"name": "move"}},
)
_ACCOUNTS = ["kubevirt-controller", "kubevirt-apiserver", "kubevirt-operator", "kubevirt-handler", "somebody"]
_NAMESPACES = ["openshift-cnv", "kubevirt", "prod", ""]


@given(
    account=st.sampled_from(_ACCOUNTS),
    namespace=st.sampled_from(_NAMESPACES),
    operation=st.sampled_from([Operation.CREATE, Operation.UPDATE]),
    marked=st.booleans(),
    subresource=st.sampled_from(["", "status"]),
    system=st.booleans(),
)
def test_the_origin_is_the_one_that_we_would_find(
    account: str, namespace: str, operation: Operation, marked: bool, subresource: str, system: bool
) -> None:
    username = f"system:serviceaccount:{namespace}:{account}" if namespace else account
    parameters = {**PARAMETERS, "systemAccounts": [username] if system else []}
    marks = {"annotations": {WORKLOAD_UPDATE_ANNOTATION: ""}} if marked else {}
    request = replace(
        REQUEST,
        user=UserInfo(username=username),
        operation=operation,
        subresource=subresource,
        object={"metadata": {"name": "move", **marks}},
    )
    text = native.origin(parameters)
    source = Text(text, Document("test", text, text, {(): Place(1, 1)}))
    resource = {"group": "kubevirt.io", "version": "v1", "resource": "virtualmachineinstancemigrations"}
    asked = {"userInfo": {"username": username}, "operation": str(operation), "resource": resource}
    natively = asked | ({"subResource": subresource} if subresource else {})
    values = activation({"request": natively, "object": request.object})
    found = Compiler({}).compile(source, ("string", "dyn")).evaluate(values)
    assert found == str(classify(request.user, parameters, request))
