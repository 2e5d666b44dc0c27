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


CONTROLLER = "kubevirt-controller"
SYNCHRONIZATION = "kubevirt-synchronization-controller"


def system(name: str) -> str:
    return account("kube-system", name)


@pytest.mark.parametrize(
    ("username", "asked", "origin"),
    [
        # People and tools
        pytest.param("alice", PLAIN, Origin.USER, id="domain.md §a: a person"),
        pytest.param("", PLAIN, Origin.USER, id="domain.md §a: nobody"),
        pytest.param(account("argocd", "argocd-application-controller"), PLAIN, Origin.USER, id="domain.md §a: GitOps"),
        pytest.param(
            account("openshift-mtv", "forklift-controller"),
            PLAIN,
            Origin.USER,
            id="forklift ocp/live.go: a cross-cluster move",
        ),
        pytest.param(
            account("openshift-kube-descheduler-operator", "openshift-descheduler-operand"),
            PLAIN,
            Origin.USER,
            id="domain.md §a: the descheduler evicts pods and makes no migration",
        ),
        # virt-api
        pytest.param(
            account("kubevirt", "kubevirt-apiserver"), PLAIN, Origin.VIRT_API, id="lifecycle.go: virtctl upstream"
        ),
        pytest.param(
            account("kubevirt-hyperconverged", "kubevirt-apiserver"),
            PLAIN,
            Origin.VIRT_API,
            id="lifecycle.go: virtctl on HCO",
        ),
        pytest.param(
            account("openshift-cnv", "kubevirt-apiserver"),
            PLAIN,
            Origin.VIRT_API,
            id="lifecycle.go: virtctl on OpenShift",
        ),
        pytest.param(
            account("openshift-cnv", "kubevirt-apiserver"),
            MARKED,
            Origin.VIRT_API,
            id="lifecycle.go: a mark changes nothing",
        ),
        pytest.param(
            account("openshift-cnv", "kubevirt-apiserver"),
            update(VMI, vmi(status={"evacuationNodeName": "node01"}), vmi()),
            Origin.VIRT_API,
            id="domain.md §e7: evacuate/cancel",
        ),
        # virt-controller
        pytest.param(account("openshift-cnv", CONTROLLER), EVACUATION, Origin.DRAIN, id="evacuation.go: a drain"),
        pytest.param(
            account("openshift-cnv", CONTROLLER), PLAIN, Origin.DRAIN, id="evacuation.go: the mark is not needed"
        ),
        pytest.param(
            account("kubevirt", CONTROLLER), MARKED, Origin.WORKLOAD_UPDATE, id="workload-updater.go: an update"
        ),
        pytest.param(
            account("kubevirt", CONTROLLER),
            create(VMIM, vmim(annotations={WORKLOAD_UPDATE_ANNOTATION: ""}), version="v1alpha3"),
            Origin.WORKLOAD_UPDATE,
            id="register.go: version v1alpha3",
        ),
        pytest.param(
            account("kubevirt", CONTROLLER),
            create(VMIM, {**vmim(), "metadata": {"annotations": None}}),
            Origin.DRAIN,
            id="evacuation.go: null annotations",
        ),
        pytest.param(
            account("kubevirt", CONTROLLER),
            update(VMIM, vmim(), vmim(annotations={WORKLOAD_UPDATE_ANNOTATION: ""})),
            Origin.OTHER_SYSTEM,
            id="migration.go: its updates",
        ),
        pytest.param(
            account("kubevirt", CONTROLLER),
            delete(VMIM, vmim()),
            Origin.OTHER_SYSTEM,
            id="migration.go: garbage collection",
        ),
        pytest.param(
            account("kubevirt", CONTROLLER),
            delete(VMIM, vmim(annotations={WORKLOAD_UPDATE_ANNOTATION: ""})),
            Origin.OTHER_SYSTEM,
            id="workload-updater.go: it takes its own away",
        ),
        pytest.param(
            account("kubevirt", CONTROLLER),
            request(VMIM, Operation.UPDATE, old=vmim(), new=vmim(), subresource="status"),
            Origin.OTHER_SYSTEM,
            id="migration.go: status",
        ),
        pytest.param(account("kubevirt", CONTROLLER), create(VMI, vmi()), Origin.OTHER_SYSTEM, id="vm.go: a VMI"),
        # KubeVirt's other accounts
        pytest.param(
            account("kubevirt", "kubevirt-handler"), PLAIN, Origin.OTHER_SYSTEM, id="serviceaccounts.go: virt-handler"
        ),
        pytest.param(
            account("kubevirt", SYNCHRONIZATION), PLAIN, Origin.OTHER_SYSTEM, id="serviceaccounts.go: synchronization"
        ),
        pytest.param(
            account("kubevirt", SYNCHRONIZATION),
            delete(VMIM, vmim()),
            Origin.OTHER_SYSTEM,
            id="synchronization-controller.go: a peer cancels",
        ),
        pytest.param(
            account("kubevirt", "kubevirt-operator"), PLAIN, Origin.OPERATOR, id="serviceaccountnames.go: virt-operator"
        ),
        pytest.param(
            account("kubevirt", "kubevirt-exportproxy"), PLAIN, Origin.USER, id="serviceaccountnames.go: export proxy"
        ),
        pytest.param(
            account("openshift-cnv", "hyperconverged-cluster-operator"),
            update(KUBEVIRT, kubevirt(), kubevirt()),
            Origin.OPERATOR,
            id="hco validator.go: its webhook tries the KubeVirt CR",
        ),
        pytest.param(
            account("openshift-cnv", "kubevirt-migration-operator"),
            PLAIN,
            Origin.OPERATOR,
            id="hco operator.yaml: operator of storage migration",
        ),
        pytest.param(
            account("openshift-cnv", "kubevirt-migration-sa"),
            delete(VMIM, vmim()),
            Origin.OTHER_SYSTEM,
            id="migration-operator common.go: a storage migration plan",
        ),
        pytest.param(
            account("openshift-cnv", "kubevirt-migration-controller"),
            delete(VMIM, vmim()),
            Origin.USER,
            id="migration-operator common.go: a Deployment's name is no account",
        ),
        pytest.param(account("openshift-cnv", "ssp-operator"), PLAIN, Origin.USER, id="hco operator.yaml: others"),
        # Kubernetes
        pytest.param(
            system("namespace-controller"), delete(VMIM, vmim()), Origin.OTHER_SYSTEM, id="k8s: a namespace is deleted"
        ),
        pytest.param(
            system("generic-garbage-collector"),
            delete(VMIM, vmim()),
            Origin.OTHER_SYSTEM,
            id="k8s: an owner is deleted",
        ),
        pytest.param(
            system("clusterrole-aggregation-controller"),
            PLAIN,
            Origin.OTHER_SYSTEM,
            id="k8s clusterroleaggregation: roles",
        ),
        pytest.param(
            system("storage-version-migrator-controller"),
            update(VMIM, vmim(), vmim()),
            Origin.OTHER_SYSTEM,
            id="k8s storageversionmigrator.go: objects rewritten",
        ),
        pytest.param(
            "system:kube-controller-manager", PLAIN, Origin.OTHER_SYSTEM, id="k8s: one account for all controllers"
        ),
        pytest.param("system:apiserver", PLAIN, Origin.OTHER_SYSTEM, id="k8s user.go: kube-apiserver itself"),
        pytest.param("kubernetes-admin", PLAIN, Origin.USER, id="k8s: a cluster administrator"),
        pytest.param("system:node:node01", PLAIN, Origin.USER, id="k8s: a kubelet"),
        pytest.param("system:anonymous", PLAIN, Origin.USER, id="k8s: not logged in"),
        # Look-alikes
        pytest.param(account("prod", CONTROLLER), PLAIN, Origin.USER, id="domain.md §e19: in a project"),
        pytest.param(
            account("prod", "kubevirt-apiserver"), PLAIN, Origin.USER, id="domain.md §e19: virt-api in a project"
        ),
        pytest.param(
            account("prod", "namespace-controller"), PLAIN, Origin.USER, id="domain.md §e19: namespace-controller"
        ),
        pytest.param(
            account("prod", "kubevirt-operator"), PLAIN, Origin.USER, id="domain.md §e19: virt-operator in a project"
        ),
        pytest.param(
            account("kube-system", CONTROLLER), PLAIN, Origin.USER, id="domain.md §e19: in another system namespace"
        ),
        pytest.param(
            account("kubevirt", "default"), PLAIN, Origin.USER, id="domain.md §e19: another account beside it"
        ),
        pytest.param(account("kubevirt", f"{CONTROLLER}2"), PLAIN, Origin.USER, id="domain.md §e19: a longer name"),
        pytest.param(account("kubevirt", f"x:{CONTROLLER}"), PLAIN, Origin.USER, id="domain.md §e19: a colon"),
        pytest.param(CONTROLLER, PLAIN, Origin.USER, id="domain.md §e19: the bare name"),
        pytest.param(
            f"System:ServiceAccount:kubevirt:{CONTROLLER}", PLAIN, Origin.USER, id="domain.md §e19: other case"
        ),
        pytest.param(account("kubevirt", CONTROLLER) + " ", PLAIN, Origin.USER, id="domain.md §e19: a trailing space"),
        pytest.param("alice", MARKED, Origin.USER, id="domain.md §e19: a forged update"),
        pytest.param("alice", EVACUATION, Origin.USER, id="domain.md §e19: a forged drain"),
        pytest.param(
            "alice",
            create(VMIM, vmim(annotations={"migguard.io/origin": "Drain"})),
            Origin.USER,
            id="domain.md §e19: a forged stamp",
        ),
    ],
)
def test_origin_is_decided_by_the_full_user_name(username: str, asked: AdmissionRequest, origin: Origin) -> None:
    assert classify(UserInfo(username=username), PARAMETERS, asked) is origin


@pytest.mark.parametrize(
    ("who", "origin"),
    [
        pytest.param(
            UserInfo(username="root", groups=("system:masters",)), Origin.USER, id="k8s rbac.go: system:masters"
        ),
        pytest.param(UserInfo(username="alice"), Origin.USER, id="no groups"),
        pytest.param(
            UserInfo(username="mallory", groups=(account("kubevirt", CONTROLLER),)),
            Origin.USER,
            id="domain.md §e19: a group named like a controller",
        ),
        pytest.param(
            UserInfo(username="mallory", extra={"username": (account("kubevirt", CONTROLLER),)}),
            Origin.USER,
            id="domain.md §e19: an extra that says so",
        ),
        # Whoever may impersonate it, or holds its token, is it: only the audit log knows more.
        pytest.param(
            UserInfo(username=account("kubevirt", CONTROLLER), groups=()),
            Origin.DRAIN,
            id="domain.md §e18: impersonated without groups",
        ),
        pytest.param(
            UserInfo(
                username=account("kubevirt", CONTROLLER), extra={"authentication.kubernetes.io/pod-name": ("nginx",)}
            ),
            Origin.DRAIN,
            id="domain.md §e18: a borrowed token",
        ),
    ],
)
def test_groups_and_extras_make_no_controller(who: UserInfo, origin: Origin) -> None:
    assert classify(who, PARAMETERS, PLAIN) is origin


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


VIRT_API = account("kubevirt", "kubevirt-apiserver")


@pytest.mark.parametrize(
    ("asked", "known", "person"),
    [
        pytest.param(create(VMIM, vmim(), by=someone("alice")), True, "alice", id="a person"),
        pytest.param(
            create(VMIM, vmim(), by=someone(VIRT_API)),
            False,
            "unknown: virt-api asks in its own name; look in the API server's audit log for update of "
            "virtualmachines/db, subresource migrate, of group subresources.kubevirt.io, in namespace prod at this "
            "time",
            id="lifecycle.go: virtctl migrate",
        ),
        pytest.param(
            update(VMI, vmi(), vmi(), by=someone(VIRT_API)),
            False,
            "unknown: virt-api asks in its own name; look in the API server's audit log for the call of a subresource, "
            "of group subresources.kubevirt.io, in namespace prod at this time",
            id="lifecycle.go: another subresource",
        ),
        pytest.param(
            create(VMIM, vmim(), by=someone(account("kubevirt", CONTROLLER))),
            True,
            "",
            id="evacuation.go: a controller",
        ),
    ],
)
def test_the_person_is_told_or_where_to_look(asked: AdmissionRequest, known: bool, person: str) -> None:
    assert FACTS["requester.personKnown"].resolve(context(asked)) is known
    assert FACTS["requester.person"].resolve(context(asked)) == person


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
