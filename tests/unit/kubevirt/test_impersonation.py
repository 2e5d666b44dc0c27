"""Which writes of roles give the right to act as a component of the system. Source: Kubernetes, user impersonation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import (
    EVERYTHING,
    MIGRATE_RULES,
    cluster_role,
    context,
    create,
    delete,
    kubevirt,
    role,
    role_binding,
    update,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.impersonation import RIGHTS
from webhook.kubevirt.resources import CLUSTER_ROLE, KUBEVIRT, ROLE, ROLE_BINDING
from webhook.model.request import AdmissionRequest

Json = dict[str, Any]

TO_VIEW = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
VIEW = cluster_role("view", [], aggregates=[{"matchLabels": TO_VIEW}])
USERS, GROUPS, ACCOUNTS, TOKENS = RIGHTS.values()


def ask(name: str, asked: AdmissionRequest, *objects: Json, parameters: Json | None = None) -> Any:
    return FACTS[f"rbac.{name}"].resolve(context(asked, kubevirt(), *objects, parameters=parameters))


def impersonate(*resources: str, **more: Any) -> list[Json]:
    return [{"apiGroups": [""], "resources": list(resources), "verbs": ["impersonate"], **more}]


def tokens(**more: Any) -> list[Json]:
    return [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"], **more}]


def of_core(resource: str, verb: str) -> list[Json]:
    return [{"apiGroups": [""], "resources": [resource], "verbs": [verb]}]


@pytest.mark.parametrize(
    ("rules", "gains"),
    [
        pytest.param(impersonate("users"), [USERS], id="impersonation.go: users"),
        pytest.param(impersonate("groups"), [GROUPS], id="impersonation.go: groups"),
        pytest.param(impersonate("serviceaccounts"), [ACCOUNTS], id="impersonation.go: service accounts"),
        pytest.param(tokens(), [TOKENS], id="token.go: a create of the subresource token"),
        pytest.param(impersonate("users", "groups", "serviceaccounts"), [USERS, GROUPS, ACCOUNTS], id="all three"),
        pytest.param(of_core("*/token", "create"), [TOKENS], id="evaluation_helpers.go: any token"),
        pytest.param(of_core("users", "*"), [USERS], id="any verb"),
        pytest.param(of_core("*", "*"), list(RIGHTS.values()), id="everything of the core group"),
        pytest.param(
            [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["impersonate"]}],
            [USERS, GROUPS, ACCOUNTS],
            id="anybody by wildcard",
        ),
        pytest.param(EVERYTHING, [], id="rbac.gives tells of everything"),
        pytest.param([*EVERYTHING, *impersonate("users")], [USERS], id="but not of what is named beside it"),
        pytest.param(
            [*MIGRATE_RULES, *EVERYTHING], list(RIGHTS.values()), id="nor where it names the migrate rights themselves"
        ),
        pytest.param(impersonate("userextras/scopes", "uids"), [], id="extra and UID are nobody"),
        pytest.param(
            impersonate("users", apiGroups=["authentication.k8s.io"]), [], id="impersonation.go: users are of the core"
        ),
        pytest.param(of_core("serviceaccounts", "create"), [], id="an account is not its token"),
        pytest.param(of_core("serviceaccounts/token", "get"), [], id="a token cannot be read"),
        pytest.param(of_core("users", "get"), [], id="another verb"),
    ],
)
def test_a_cluster_role_is_told_by_what_it_lets_its_holders_be(rules: list[Json], gains: list[str]) -> None:
    assert ask("impersonates", create(CLUSTER_ROLE, cluster_role("borrower", rules))) == gains


@pytest.mark.parametrize(
    ("rules", "gains"),
    [
        pytest.param(
            impersonate("serviceaccounts", resourceNames=["kubevirt-controller"]), [ACCOUNTS], id="virt-controller"
        ),
        pytest.param(
            impersonate("serviceaccounts", resourceNames=["namespace-controller"]), [ACCOUNTS], id="of kube-system"
        ),
        pytest.param(tokens(resourceNames=["robot", "kubevirt-apiserver"]), [TOKENS], id="token.go: it bears a name"),
        pytest.param(impersonate("serviceaccounts", resourceNames=["robot"]), [], id="an account that is judged"),
        pytest.param(
            impersonate("users", resourceNames=["system:kube-controller-manager"]), [USERS], id="a controller"
        ),
        pytest.param(impersonate("users", resourceNames=["alice"]), [], id="a person, who is judged"),
        pytest.param(
            impersonate("users", resourceNames=["system:serviceaccount:kubevirt:kubevirt-controller"]),
            [],
            id="impersonation.go: an account named as a user is asked for as an account",
        ),
        pytest.param(impersonate("groups", resourceNames=["system:masters"]), [GROUPS], id="every right"),
        pytest.param(impersonate("groups", resourceNames=["devs"]), [], id="some group"),
    ],
)
def test_a_rule_for_some_names_counts_if_one_of_them_matters(rules: list[Json], gains: list[str]) -> None:
    assert ask("impersonates", create(CLUSTER_ROLE, cluster_role("borrower", rules))) == gains


@pytest.mark.parametrize(
    ("namespace", "rules", "gains"),
    [
        pytest.param("kubevirt", impersonate("serviceaccounts"), [ACCOUNTS], id="where KubeVirt is"),
        pytest.param("kubevirt", tokens(), [TOKENS], id="a token there"),
        pytest.param("kube-system", tokens(), [TOKENS], id="where Kubernetes' controllers are"),
        pytest.param("backup", tokens(resourceNames=["velero"]), [TOKENS], id="an account of the Parameters"),
        pytest.param("backup", tokens(resourceNames=["robot"]), [], id="another account there"),
        pytest.param("kubevirt", tokens(resourceNames=["namespace-controller"]), [], id="a name of another namespace"),
        pytest.param("kubevirt", impersonate("users", "groups"), [], id="impersonation.go: they have no namespace"),
        pytest.param("kubevirt", of_core("*", "*"), [ACCOUNTS, TOKENS], id="everything of the core group"),
        pytest.param("kubevirt", EVERYTHING, [], id="rbac.gives tells of everything"),
        pytest.param("openshift-cnv", impersonate("serviceaccounts"), [], id="where KubeVirt could be, but is not"),
        pytest.param("prod", impersonate("serviceaccounts"), [], id="in a team's own"),
    ],
)
def test_a_role_counts_where_the_accounts_are_and_only_for_them(
    namespace: str, rules: list[Json], gains: list[str]
) -> None:
    asked = create(ROLE, role("borrower", namespace, rules))
    accounts = ["system:serviceaccount:backup:velero", "robot"]
    assert ask("impersonates", asked, parameters={"systemAccounts": accounts}) == gains


@pytest.mark.parametrize(
    ("asked", "gains"),
    [
        pytest.param(
            update(CLUSTER_ROLE, cluster_role("b", impersonate("users")), cluster_role("b", impersonate("users"))),
            [],
            id="had it before",
        ),
        pytest.param(
            update(CLUSTER_ROLE, cluster_role("b", EVERYTHING), cluster_role("b", impersonate("users"))),
            [],
            id="had it through everything",
        ),
        pytest.param(
            update(
                CLUSTER_ROLE,
                cluster_role("b", impersonate("users", resourceNames=["alice"])),
                cluster_role("b", impersonate("users")),
            ),
            [USERS],
            id="a person becomes everybody",
        ),
        pytest.param(
            update(CLUSTER_ROLE, cluster_role("b", impersonate("users")), cluster_role("b", [])), [], id="loses it"
        ),
        pytest.param(delete(CLUSTER_ROLE, cluster_role("b", impersonate("users"))), [], id="a deletion"),
        pytest.param(create(ROLE_BINDING, role_binding("b", "kubevirt")), [], id="a binding"),
        pytest.param(create(KUBEVIRT, kubevirt()), [], id="no role at all"),
    ],
)
def test_only_what_the_write_adds_counts(asked: AdmissionRequest, gains: list[str]) -> None:
    assert ask("impersonates", asked) == gains


class TestAggregation:
    """Source: Kubernetes pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go."""

    COMPONENT = cluster_role("borrowing", impersonate("users"), labels=TO_VIEW)

    def test_a_new_aggregated_role_has_what_its_selectors_match(self) -> None:
        assert ask("impersonates", create(CLUSTER_ROLE, VIEW), self.COMPONENT) == [USERS]

    def test_an_edit_that_takes_in_nothing_new_gains_nothing(self) -> None:
        edited = {**VIEW, "rules": impersonate("uids")}
        assert ask("impersonates", update(CLUSTER_ROLE, VIEW, edited), self.COMPONENT) == []

    def test_what_the_controller_copies_into_it_is_told(self) -> None:
        copied = {**VIEW, "rules": impersonate("users")}
        assert ask("impersonates", update(CLUSTER_ROLE, VIEW, copied), self.COMPONENT) == [USERS]


def test_the_namespaces_are_those_of_the_accounts() -> None:
    asked = create(CLUSTER_ROLE, cluster_role("b", []))
    assert ask("accountNamespaces", asked) == ["kubevirt", "kube-system"]
    own = ["system:serviceaccount:backup:velero", "robot", "system:serviceaccount:kubevirt:x"]
    assert ask("accountNamespaces", asked, parameters={"systemAccounts": own}) == ["kubevirt", "kube-system", "backup"]


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        (create(CLUSTER_ROLE, cluster_role("b", impersonate("users"))), "oc delete clusterrole b"),
        (create(ROLE, role("b $(c)", "kubevirt", tokens())), "oc delete role 'b $(c)' -n kubevirt"),
        (
            update(CLUSTER_ROLE, cluster_role("b", []), cluster_role("b", impersonate("users"))),
            "oc edit clusterrole b",
        ),
        (create(CLUSTER_ROLE, cluster_role("b", [])), ""),
    ],
    ids=["made", "a name for a shell", "changed", "nothing"],
)
def test_the_command_takes_back_what_was_made_or_opens_what_was_changed(asked: AdmissionRequest, command: str) -> None:
    assert ask("impersonationUndo", asked) == command


RULES = st.lists(
    st.fixed_dictionaries(
        {
            "apiGroups": st.lists(st.sampled_from(["", "*", "kubevirt.io"])),
            "resources": st.lists(
                st.sampled_from(["*", "users", "groups", "serviceaccounts", "serviceaccounts/token"])
            ),
            "verbs": st.lists(st.sampled_from(["*", "impersonate", "create", "get"])),
        },
        optional={"resourceNames": st.lists(st.sampled_from(["alice", "system:masters", "kubevirt-controller"]))},
    ),
    max_size=4,
)


@given(rules=RULES, more=RULES)
def test_a_role_that_only_loses_rules_gains_nothing(rules: list[Json], more: list[Json]) -> None:
    asked = update(CLUSTER_ROLE, cluster_role("b", [*rules, *more]), cluster_role("b", rules))
    assert ask("impersonates", asked) == []
