"""Who really asks. Source: KubeVirt pkg/virt-api/webhooks/serviceaccounts.go and the controllers that create VMIMs."""

from __future__ import annotations

import pytest

from tests.support.builders import PARAMETERS, context, create, delete, kubevirt, request, someone, update, vmi, vmim
from webhook.cluster.store import Store
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.requester import WORKLOAD_UPDATE_ANNOTATION, Origin, classify, located
from webhook.kubevirt.resources import KUBEVIRT, RESOURCES, VMI, VMIM
from webhook.model.request import AdmissionRequest, Operation, UserInfo

PLAIN = create(VMIM, vmim())
MARKED = create(VMIM, vmim(annotations={WORKLOAD_UPDATE_ANNOTATION: ""}))
EVACUATION = create(VMIM, vmim(annotations={"kubevirt.io/evacuationMigration": "node01"}))


def account(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


@pytest.mark.parametrize(
    ("username", "asked", "origin"),
    [
        pytest.param("alice", PLAIN, Origin.USER, id="person"),
        pytest.param("", PLAIN, Origin.USER, id="nobody"),
        pytest.param(account("argocd", "argocd-application-controller"), PLAIN, Origin.USER, id="gitops tool"),
        pytest.param(account("kubevirt", "kubevirt-apiserver"), PLAIN, Origin.VIRT_API, id="virtctl migrate upstream"),
        pytest.param(account("openshift-cnv", "kubevirt-apiserver"), PLAIN, Origin.VIRT_API, id="virtctl on OpenShift"),
        pytest.param(account("openshift-cnv", "kubevirt-controller"), EVACUATION, Origin.DRAIN, id="evacuation"),
        pytest.param(account("openshift-cnv", "kubevirt-controller"), PLAIN, Origin.DRAIN, id="unmarked evacuation"),
        pytest.param(account("kubevirt", "kubevirt-controller"), MARKED, Origin.WORKLOAD_UPDATE, id="workload update"),
        pytest.param(
            account("kubevirt", "kubevirt-controller"),
            update(VMIM, vmim(), vmim(annotations={WORKLOAD_UPDATE_ANNOTATION: ""})),
            Origin.OTHER_SYSTEM,
            id="finalizers and status by virt-controller",
        ),
        pytest.param(
            account("kubevirt", "kubevirt-controller"),
            delete(VMIM, vmim()),
            Origin.OTHER_SYSTEM,
            id="garbage collection",
        ),
        pytest.param(
            account("kubevirt", "kubevirt-controller"),
            create(VMI, vmi()),
            Origin.OTHER_SYSTEM,
            id="VMI by virt-controller",
        ),
        pytest.param(account("kubevirt", "kubevirt-operator"), PLAIN, Origin.OPERATOR, id="virt-operator"),
        pytest.param(
            account("openshift-cnv", "hyperconverged-cluster-operator"), PLAIN, Origin.OPERATOR, id="HCO's operator"
        ),
        pytest.param(account("kubevirt", "kubevirt-handler"), PLAIN, Origin.OTHER_SYSTEM, id="virt-handler"),
        pytest.param(
            account("kubevirt", "kubevirt-synchronization-controller"), PLAIN, Origin.OTHER_SYSTEM, id="synchronization"
        ),
        pytest.param(
            account("kube-system", "namespace-controller"), PLAIN, Origin.OTHER_SYSTEM, id="namespace deletion"
        ),
        pytest.param(
            account("kube-system", "generic-garbage-collector"), PLAIN, Origin.OTHER_SYSTEM, id="owner deletion"
        ),
        pytest.param(
            account("kube-system", "clusterrole-aggregation-controller"), PLAIN, Origin.OTHER_SYSTEM, id="aggregation"
        ),
        pytest.param(
            "system:kube-controller-manager", PLAIN, Origin.OTHER_SYSTEM, id="one account for all controllers"
        ),
        pytest.param(account("prod", "kubevirt-controller"), PLAIN, Origin.USER, id="look-alike in a project"),
        pytest.param(account("prod", "kubevirt-apiserver"), PLAIN, Origin.USER, id="look-alike virt-api"),
        pytest.param(account("prod", "namespace-controller"), PLAIN, Origin.USER, id="look-alike namespace-controller"),
        pytest.param(account("kubevirt", "default"), PLAIN, Origin.USER, id="other account of the install namespace"),
        pytest.param(account("kubevirt", "kubevirt-controller2"), PLAIN, Origin.USER, id="longer name"),
        pytest.param(account("kubevirt", "x:kubevirt-controller"), PLAIN, Origin.USER, id="name with a colon"),
        pytest.param("kubevirt-controller", PLAIN, Origin.USER, id="bare name"),
        pytest.param("System:ServiceAccount:kubevirt:kubevirt-controller", PLAIN, Origin.USER, id="other case"),
        pytest.param(account("kubevirt", "kubevirt-controller") + " ", PLAIN, Origin.USER, id="trailing space"),
        pytest.param("alice", MARKED, Origin.USER, id="forged workload update"),
        pytest.param("alice", EVACUATION, Origin.USER, id="forged evacuation"),
    ],
)
def test_origin_is_decided_by_the_full_user_name(username: str, asked: AdmissionRequest, origin: Origin) -> None:
    assert classify(UserInfo(username=username), PARAMETERS, asked) is origin


def test_a_create_on_a_subresource_of_a_vmim_is_no_migration() -> None:
    asked = request(VMIM, Operation.CREATE, new=vmim(), subresource="status")
    controller = UserInfo(username=account("kubevirt", "kubevirt-controller"))
    assert classify(controller, PARAMETERS, asked) is Origin.OTHER_SYSTEM


def test_the_install_namespaces_are_those_of_parameters_only() -> None:
    elsewhere = {**PARAMETERS, "installNamespaces": ["virt"]}
    assert classify(UserInfo(username=account("virt", "kubevirt-apiserver")), elsewhere, PLAIN) is Origin.VIRT_API
    assert classify(UserInfo(username=account("kubevirt", "kubevirt-apiserver")), elsewhere, PLAIN) is Origin.USER


def test_an_empty_install_namespace_trusts_nobody() -> None:
    nowhere = {**PARAMETERS, "installNamespaces": [""]}
    assert classify(UserInfo(username="system:serviceaccount::kubevirt-controller"), nowhere, PLAIN) is Origin.USER


def test_system_accounts_of_parameters_are_compared_as_a_whole() -> None:
    parameters = {**PARAMETERS, "systemAccounts": [account("mtv", "forklift-controller")]}
    assert classify(UserInfo(username=account("mtv", "forklift-controller")), parameters, PLAIN) is Origin.OTHER_SYSTEM
    assert classify(UserInfo(username=account("mtv", "forklift-controller-2")), parameters, PLAIN) is Origin.USER


def test_a_group_named_like_a_controller_is_not_that_controller() -> None:
    forged = UserInfo(username="mallory", groups=(account("kubevirt", "kubevirt-controller"),))
    assert classify(forged, PARAMETERS, PLAIN) is Origin.USER


def test_through_virtctl_the_person_is_not_known() -> None:
    through = context(create(VMIM, vmim(), by=someone(account("kubevirt", "kubevirt-apiserver"))))
    assert FACTS["requester.origin"].resolve(through) == "VirtAPI"
    assert FACTS["requester.personKnown"].resolve(through) is False
    assert FACTS["requester.personKnown"].resolve(context(PLAIN)) is True


def test_who_asks_is_handed_on_as_authenticated() -> None:
    user = UserInfo(username="alice", uid="42", groups=("devs",), extra={"scopes": ("user:full",)})
    asked = context(create(VMIM, vmim(), by=user))
    found = {name: FACTS[f"requester.{name}"].resolve(asked) for name in ("username", "uid", "groups", "extra")}
    assert found == {"username": "alice", "uid": "42", "groups": ["devs"], "extra": {"scopes": ["user:full"]}}


@pytest.mark.parametrize(
    ("namespace", "origin"),
    [
        pytest.param("virt", "Drain", id="where the KubeVirt CR is, whatever its name"),
        pytest.param("kubevirt", "User", id="a usual name that anybody could have taken"),
        pytest.param("openshift-cnv", "User", id="another usual name"),
    ],
)
def test_kubevirts_accounts_live_in_the_namespace_of_its_cr(namespace: str, origin: str) -> None:
    asked = create(VMIM, vmim(), by=someone(account(namespace, "kubevirt-controller")))
    assert FACTS["requester.origin"].resolve(context(asked, kubevirt(namespace="virt"))) == origin


def test_what_was_last_seen_counts_while_there_is_no_contact() -> None:
    """A drain must not wait for the API server, nor a look-alike profit from its absence."""
    now = [0.0]
    store = Store(RESOURCES, max_staleness=120, clock=lambda: now[0])
    store.replace(KUBEVIRT, [kubevirt(namespace="virt")])
    now[0] = 10_000.0
    with pytest.raises(FactUnavailable):
        store.list(KUBEVIRT)
    for namespace, origin in (("virt", Origin.DRAIN), ("openshift-cnv", Origin.USER)):
        user = someone(account(namespace, "kubevirt-controller"))
        assert classify(user, located(PARAMETERS, store), PLAIN) is origin


def test_the_configured_namespaces_count_where_no_kubevirt_was_ever_seen() -> None:
    asked = context(create(VMIM, vmim(), by=someone(account("openshift-cnv", "kubevirt-controller"))))
    assert FACTS["requester.origin"].resolve(asked) == "Drain"


def test_a_kubevirt_cr_without_a_namespace_does_not_make_everybody_a_person() -> None:
    asked = create(VMIM, vmim(), by=someone(account("kubevirt", "kubevirt-controller")))
    assert FACTS["requester.origin"].resolve(context(asked, kubevirt(namespace=""))) == "Drain"
