"""Which writes change labels that VMs are found by."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import (
    create,
    delete,
    kubevirt,
    namespace,
    request,
    update,
    vm,
    vmi,
    vmim,
)
from webhook.kubevirt.labelchange import labels_change
from webhook.kubevirt.resources import KUBEVIRT, NAMESPACE, VM, VMI, VMIM
from webhook.model.request import AdmissionRequest, Operation

A, B = {"app": "a"}, {"app": "b"}


def nulled(made: dict[str, Any]) -> dict[str, Any]:
    return {**made, "metadata": {**made["metadata"], "labels": None}}


@pytest.mark.parametrize(
    ("asked", "change"),
    [
        pytest.param(update(VMI, vmi(labels=A), vmi(labels=B)), True, id="VMI"),
        pytest.param(update(VMI, vmi(labels=A), vmi(labels=A, phase="Failed")), False, id="VMI, something else"),
        pytest.param(update(VMI, vmi(), nulled(vmi())), False, id="VMI, null for none"),
        pytest.param(update(VM, vm(template_labels=A), vm(template_labels=B)), True, id="template of a VM"),
        pytest.param(update(VM, vm(template_labels=A), {**vm(template_labels=A), "x": 1}), False, id="rest of a VM"),
        pytest.param(
            request(VM, Operation.UPDATE, old=vm(), new=vm(template_labels=A), subresource="status"),
            True,
            id="status of a VM: not for us to rule out",
        ),
        pytest.param(update(NAMESPACE, namespace(labels=A), namespace(labels=B)), True, id="Namespace"),
        pytest.param(update(NAMESPACE, namespace(labels=A), namespace(labels=A)), False, id="Namespace, no change"),
        pytest.param(
            request(
                NAMESPACE, Operation.UPDATE, old=namespace(labels=A), new=namespace(labels=B), subresource="status"
            ),
            True,
            id="Namespace through its status",
        ),
        pytest.param(create(VM, vm()), True, id="CREATE"),
        pytest.param(delete(VM, vm()), True, id="DELETE"),
        pytest.param(update(VMIM, vmim(), vmim()), True, id="another kind"),
        pytest.param(update(KUBEVIRT, kubevirt(), kubevirt()), True, id="configuration"),
    ],
)
def test_what_can_be_told_from_the_request(asked: AdmissionRequest, change: bool) -> None:
    assert labels_change(asked) is change
