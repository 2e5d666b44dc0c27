"""RBAC evaluation. Source: Kubernetes pkg/registry/rbac/validation/rule.go, plugin/pkg/auth/authorizer/rbac/rbac.go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import (
    EVERYTHING,
    MIGRATE_RULES,
    cluster_role,
    cluster_role_binding,
    group,
    role,
    role_binding,
    service_account,
    someone,
    user,
)
from tests.support.view import View
from webhook.errors import FactUnavailable
from webhook.kubevirt.rbac import How, RBACAuthorizer, aggregated, components, grants, is_explicit, rule_allows
from webhook.kubevirt.resources import CLUSTER_ROLE
from webhook.model.facts import Attributes, Deadline
from webhook.model.request import UserInfo

VMIMS = "virtualmachineinstancemigrations"
TIME = Deadline.after(600)


def asks(
    verb: str = "create", *, resource: str = VMIMS, sub: str = "", name: str = "", where: str = "prod"
) -> Attributes:
    return Attributes(verb=verb, group="kubevirt.io", resource=resource, subresource=sub, namespace=where, name=name)


def rule(
    verbs: list[str], resources: list[str], groups: list[str] | None = None, names: list[str] | None = None
) -> dict[str, Any]:
    made: dict[str, Any] = {"verbs": verbs, "apiGroups": groups or ["kubevirt.io"], "resources": resources}
    return {**made, "resourceNames": names} if names else made


@pytest.mark.parametrize(
    ("granted", "asked", "allowed"),
    [
        pytest.param(rule(["create"], [VMIMS]), asks(), True, id="exact"),
        pytest.param(rule(["*"], [VMIMS]), asks(), True, id="any verb"),
        pytest.param(rule(["create"], ["*"]), asks(), True, id="any resource"),
        pytest.param(rule(["create"], [VMIMS], ["*"]), asks(), True, id="any group"),
        pytest.param(rule(["create"], [VMIMS], [""]), asks(), False, id="core group is not any group"),
        pytest.param(rule(["get", "update"], [VMIMS]), asks(), False, id="other verbs"),
        pytest.param(rule(["Create"], [VMIMS]), asks(), False, id="case counts"),
        pytest.param(rule(["create"], ["virtualmachine*"]), asks(), False, id="no globbing"),
        pytest.param(
            rule(["update"], [VMIMS]), asks("update", sub="status"), False, id="resource is not its subresource"
        ),
        pytest.param(
            rule(["update"], [f"{VMIMS}/status"]), asks("update"), False, id="subresource is not the resource"
        ),
        pytest.param(rule(["update"], [f"{VMIMS}/status"]), asks("update", sub="status"), True, id="subresource"),
        pytest.param(
            rule(["update"], ["*/status"]), asks("update", sub="status"), True, id="subresource of any resource"
        ),
        pytest.param(rule(["update"], ["*/status"]), asks("update"), False, id="any resource's status is no resource"),
        pytest.param(rule(["update"], ["*"]), asks("update", sub="status"), True, id="star covers subresources"),
        pytest.param(rule(["update"], [f"{VMIMS}/*"]), asks("update", sub="status"), False, id="resource slash star"),
        pytest.param(rule(["update"], [VMIMS], names=["a"]), asks("update", name="a"), True, id="named"),
        pytest.param(rule(["update"], [VMIMS], names=["a"]), asks("update", name="b"), False, id="other name"),
        pytest.param(rule(["create"], [VMIMS], names=["a"]), asks("create"), False, id="names never match a create"),
        pytest.param(
            rule(["deletecollection"], [VMIMS], names=["a"]), asks("deletecollection"), False, id="nor deletecollection"
        ),
        pytest.param({"verbs": ["*"], "nonResourceURLs": ["*"]}, asks(), False, id="nonResourceURLs"),
        pytest.param({}, asks(), False, id="empty"),
        pytest.param({"verbs": "*", "apiGroups": None, "resources": 7}, asks(), False, id="malformed"),
    ],
)
def test_a_rule_matches_as_in_kubernetes(granted: dict[str, Any], asked: Attributes, allowed: bool) -> None:
    assert rule_allows(granted, asked) is allowed


WORDS = st.sampled_from(
    ["*", "create", "update", "kubevirt.io", "", "vms", "vms/migrate", "*/migrate", "vms/*", "db", "x"]
)


@given(
    st.fixed_dictionaries(
        {key: st.lists(WORDS, max_size=3) for key in ("verbs", "apiGroups", "resources")},
        optional={"resourceNames": st.lists(WORDS, max_size=2)},
    ),
    st.tuples(*[st.sampled_from(["create", "update", "kubevirt.io", "", "vms", "migrate", "db"])] * 5),
)
def test_rules_agree_with_a_naive_reading_of_kubernetes(granted: dict[str, list[str]], asked: tuple[str, ...]) -> None:
    verb, api_group, resource, subresource, name = asked

    def naive() -> bool:
        full = resource if subresource == "" else resource + "/" + subresource
        resource_ok = False
        for entry in granted["resources"]:
            if entry in ("*", full):
                resource_ok = True
            if subresource != "" and len(entry) == len(subresource) + 2:
                resource_ok = resource_ok or (entry.startswith("*/") and entry.endswith(subresource))
        verb_ok = any(entry in ("*", verb) for entry in granted["verbs"])
        group_ok = any(entry in ("*", api_group) for entry in granted["apiGroups"])
        names = granted.get("resourceNames", [])
        return verb_ok and group_ok and resource_ok and (len(names) == 0 or any(entry == name for entry in names))

    attributes = Attributes(verb=verb, group=api_group, resource=resource, subresource=subresource, name=name)
    assert rule_allows(granted, attributes) is naive()


ROBOT = UserInfo(
    username="system:serviceaccount:ci:robot", groups=("system:serviceaccounts", "system:serviceaccounts:ci")
)


@pytest.mark.parametrize(
    ("binding", "who", "held"),
    [
        pytest.param(role_binding("b", "prod", user("alice")), someone("alice"), True, id="user"),
        pytest.param(role_binding("b", "prod", user("bob")), someone("alice"), False, id="another user"),
        pytest.param(role_binding("b", "test", user("alice")), someone("alice"), False, id="another namespace"),
        pytest.param(cluster_role_binding("b", user("alice")), someone("alice"), True, id="cluster-wide"),
        pytest.param(role_binding("b", "prod", group("devs")), someone("alice", "devs"), True, id="group"),
        pytest.param(role_binding("b", "prod", group("devs")), someone("alice"), False, id="not of the group"),
        pytest.param(
            role_binding("b", "prod", group("alice")), someone("alice"), False, id="group named like the user"
        ),
        pytest.param(role_binding("b", "prod", group("system:authenticated")), someone("alice"), True, id="everyone"),
        pytest.param(role_binding("b", "prod", service_account("robot", "ci")), ROBOT, True, id="service account"),
        pytest.param(
            role_binding("b", "prod", service_account("robot")), ROBOT, False, id="of the binding's namespace"
        ),
        pytest.param(role_binding("b", "prod", user(ROBOT.username)), ROBOT, True, id="service account as a user"),
        pytest.param(cluster_role_binding("b", service_account("robot")), ROBOT, False, id="without any namespace"),
        pytest.param(
            role_binding("b", "prod", group("system:serviceaccounts:ci")), ROBOT, True, id="a project's accounts"
        ),
        pytest.param(
            role_binding("b", "prod", user("alice"), role="gone"), someone("alice"), False, id="role is missing"
        ),
        pytest.param(
            role_binding("b", "prod", user("alice"), role="kubevirt.io:migrate", kind="Role"),
            someone("alice"),
            False,
            id="a Role of that name",
        ),
        pytest.param(role_binding("b", "prod"), someone("alice"), False, id="no subjects"),
    ],
)
def test_a_binding_applies_as_in_kubernetes(binding: dict[str, Any], who: UserInfo, held: bool) -> None:
    assert bool(grants(View(cluster_role(), binding), who, asks(), TIME)) is held


def test_a_service_account_of_the_binding_needs_no_namespace() -> None:
    who = UserInfo(username="system:serviceaccount:prod:robot")
    assert grants(View(cluster_role(), role_binding("b", "prod", service_account("robot"))), who, asks(), TIME)


def test_a_role_grants_in_its_own_namespace_only() -> None:
    view = View(
        role("movers", "prod", MIGRATE_RULES), role_binding("b", "prod", user("alice"), role="movers", kind="Role")
    )
    assert [str(grant) for grant in grants(view, someone(), asks(), TIME)] == [
        "RoleBinding prod/b to Role prod/movers (user alice)"
    ]
    assert grants(view, someone(), asks(where="test"), TIME) == []
    assert grants(view, someone(), asks(where=""), TIME) == []


def test_every_grant_tells_role_binding_subject_and_rule() -> None:
    view = View(
        cluster_role(),
        cluster_role("admin", EVERYTHING),
        cluster_role_binding("admins", group("devs"), user("alice"), role="admin"),
        role_binding("movers", "prod", user("alice"), group("devs")),
    )
    found = grants(view, someone("alice", "devs"), asks(), TIME)
    assert [str(grant) for grant in found] == [
        "ClusterRoleBinding admins to ClusterRole admin (user alice; by wildcard)",
        "RoleBinding prod/movers to ClusterRole kubevirt.io:migrate (user alice)",
    ]
    assert [grant.rule for grant in found] == [EVERYTHING[0], MIGRATE_RULES[1]]
    assert [grant.how for grant in found] == [How.WILDCARD, How.CUSTOM]
    assert view.listed == []


AGGREGATE = {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}


@pytest.mark.parametrize(
    ("selector", "held"),
    [
        pytest.param({"matchLabels": AGGREGATE}, True, id="labels"),
        pytest.param(
            {"matchExpressions": [{"key": next(iter(AGGREGATE)), "operator": "Exists"}]}, True, id="expressions"
        ),
        pytest.param({"matchExpressions": [{"key": "x", "operator": "In", "values": ["y"]}]}, False, id="other label"),
    ],
)
def test_an_aggregated_role_of_a_manifest_gets_what_its_selectors_match(selector: dict[str, Any], held: bool) -> None:
    view = View(
        cluster_role("admin", [], aggregates=[selector]),
        cluster_role("kubevirt.io:upgrademigrate", labels=AGGREGATE),
        role_binding("b", "prod", user("alice"), role="admin"),
    )
    assert bool(grants(view, someone(), asks(), TIME)) is held


def test_an_aggregated_role_that_has_rules_is_taken_at_its_word() -> None:
    view = View(
        cluster_role(
            "admin",
            [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
            aggregates=[{"matchLabels": AGGREGATE}],
        ),
        cluster_role(labels=AGGREGATE),
        role_binding("b", "prod", user("alice"), role="admin"),
    )
    assert grants(view, someone(), asks(), TIME) == []


def test_aggregation_goes_through_several_steps_and_survives_a_circle() -> None:
    to_edit = {"aggregate-to-edit": "true"}
    view = View(
        cluster_role("admin", [], aggregates=[{"matchLabels": AGGREGATE}]),
        cluster_role("edit", [], aggregates=[{"matchLabels": to_edit}], labels={**AGGREGATE, **to_edit}),
        cluster_role(labels=to_edit),
        role_binding("b", "prod", user("alice"), role="admin"),
    )
    assert len(grants(view, someone(), asks(), TIME)) == 1


EDITS = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
PODS = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
KEYS_ONLY = {"matchExpressions": [{"key": next(iter(AGGREGATE)), "operator": "Exists"}]}


@pytest.mark.parametrize(
    ("roles", "through"),
    [
        pytest.param(
            [
                cluster_role("admin", MIGRATE_RULES, aggregates=[{"matchLabels": AGGREGATE}]),
                cluster_role(labels=AGGREGATE),
            ],
            ("kubevirt.io:migrate",),
            id="by a label",
        ),
        pytest.param(
            [cluster_role("admin", MIGRATE_RULES, aggregates=[KEYS_ONLY]), cluster_role(labels=AGGREGATE)],
            ("kubevirt.io:migrate",),
            id="by an expression",
        ),
        pytest.param(
            [cluster_role("admin", MIGRATE_RULES, aggregates=[{}]), cluster_role()],
            ("kubevirt.io:migrate",),
            id="by an empty selector",
        ),
        pytest.param(
            [
                cluster_role("admin", MIGRATE_RULES, aggregates=[{"matchLabels": AGGREGATE}]),
                cluster_role("edit", MIGRATE_RULES, aggregates=[{"matchLabels": EDITS}], labels=AGGREGATE),
                cluster_role("kubevirt.io:upgrademigrate", labels=EDITS),
            ],
            ("kubevirt.io:upgrademigrate",),
            id="in two steps",
        ),
        pytest.param(
            [
                cluster_role("admin", MIGRATE_RULES, aggregates=[{"matchLabels": AGGREGATE}, {"matchLabels": EDITS}]),
                cluster_role("b", labels=EDITS),
                cluster_role("a", labels={**AGGREGATE, **EDITS}),
                cluster_role("pods", PODS, labels=AGGREGATE),
            ],
            ("a", "b"),
            id="from two, not from what grants something else",
        ),
        pytest.param(
            [cluster_role("admin", MIGRATE_RULES, aggregates=[{"matchLabels": AGGREGATE}])],
            (),
            id="the controller is late",
        ),
        pytest.param(
            [
                cluster_role("admin", MIGRATE_RULES, aggregates=[{"matchLabels": EDITS}], labels=AGGREGATE),
                cluster_role("edit", MIGRATE_RULES, aggregates=[{"matchLabels": AGGREGATE}], labels=EDITS),
            ],
            (),
            id="a circle",
        ),
    ],
)
def test_of_an_aggregated_role_it_is_known_whose_rules_grant_it(
    roles: list[dict[str, Any]], through: tuple[str, ...]
) -> None:
    """Source: Kubernetes pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go."""
    view = View(*roles, role_binding("b", "prod", group("devs"), role="admin"))
    assert components(view, "admin", asks(), TIME) == through
    [grant] = grants(view, someone("alice", "devs"), asks(), TIME)
    assert (grant.how, grant.through) == (How.AGGREGATION, through)
    sources = ", ".join(f"ClusterRole {name}" for name in through) or "a ClusterRole that is gone"
    assert str(grant) == f"RoleBinding prod/b to ClusterRole admin (group devs; aggregated from {sources})"


def test_components_are_found_by_label_where_a_selector_names_one() -> None:
    view = View(cluster_role("admin", aggregates=[{"matchLabels": AGGREGATE}]), cluster_role(labels=AGGREGATE))
    components(view, "admin", asks(), TIME)
    assert view.listed == []


def test_many_selectors_times_many_roles_end_with_the_time_of_the_request() -> None:
    many = [{"matchExpressions": [{"key": f"k{number}", "operator": "Exists"}]} for number in range(40)]
    view = View(cluster_role("admin", [], aggregates=many), *(cluster_role(f"r{number}") for number in range(40)))
    assert aggregated(view, view.get(CLUSTER_ROLE, "", "admin"), TIME) == []
    with pytest.raises(FactUnavailable, match="before it was known which ClusterRoles an aggregated one takes in"):
        aggregated(view, view.get(CLUSTER_ROLE, "", "admin"), Deadline.after(-1))


def test_a_label_that_no_index_lists_is_still_found() -> None:
    odd = {"kubevirt.io/created-by": "me"}
    view = View(cluster_role("admin", aggregates=[{"matchLabels": odd}]), cluster_role(labels=odd))
    assert components(view, "admin", asks(), TIME) == ("kubevirt.io:migrate",)


@pytest.mark.parametrize(
    ("name", "aggregates", "rules", "trusted", "how"),
    [
        pytest.param("movers", (), MIGRATE_RULES, (), How.CUSTOM, id="named verbs"),
        pytest.param("movers", (), MIGRATE_RULES, ("movers",), How.TRUSTED, id="trusted"),
        pytest.param("movers", (), EVERYTHING, ("movers",), How.TRUSTED, id="trusted, though by wildcard"),
        pytest.param(
            "movers",
            ({"matchLabels": AGGREGATE},),
            EVERYTHING,
            ("movers",),
            How.TRUSTED,
            id="trusted, though aggregated",
        ),
        pytest.param("movers", (), EVERYTHING, (), How.WILDCARD, id="everything"),
        pytest.param("movers", (), [rule(["*"], [VMIMS])], (), How.WILDCARD, id="every verb"),
        pytest.param("movers", (), [rule(["create"], ["*"])], (), How.WILDCARD, id="every resource"),
        pytest.param("movers", (), [rule(["create"], [VMIMS], ["*"])], (), How.WILDCARD, id="every group"),
        pytest.param("movers", (), [rule(["*", "create"], [VMIMS])], (), How.CUSTOM, id="named beside a wildcard"),
        pytest.param("movers", ({"matchLabels": AGGREGATE},), MIGRATE_RULES, (), How.AGGREGATION, id="aggregated"),
    ],
)
def test_it_is_known_how_a_cluster_role_grants(
    name: str, aggregates: tuple[Any, ...], rules: list[dict[str, Any]], trusted: tuple[str, ...], how: How
) -> None:
    view = View(cluster_role(name, rules, aggregates=aggregates), role_binding("b", "prod", user("alice"), role=name))
    assert [grant.how for grant in grants(view, someone(), asks(), TIME, trusted)] == [how]


def test_a_role_is_never_trusted_nor_aggregated() -> None:
    view = View(
        role("movers", "prod", MIGRATE_RULES), role_binding("b", "prod", user("alice"), role="movers", kind="Role")
    )
    assert [grant.how for grant in grants(view, someone(), asks(), TIME, ("movers",))] == [How.CUSTOM]


@given(
    st.fixed_dictionaries({key: st.lists(WORDS, max_size=3) for key in ("verbs", "apiGroups", "resources")}),
    st.tuples(*[st.sampled_from(["create", "update", "kubevirt.io", "", "vms", "migrate", "db"])] * 4),
)
def test_what_is_granted_explicitly_is_granted_without_any_wildcard(
    granted: dict[str, list[str]], asked: tuple[str, ...]
) -> None:
    verb, api_group, resource, subresource = asked
    attributes = Attributes(verb=verb, group=api_group, resource=resource, subresource=subresource)
    plain = {key: [word for word in words if "*" not in word] for key, words in granted.items()}
    assert is_explicit(granted, attributes) is rule_allows(plain, attributes)


def test_the_authorizer_answers_like_an_api_server_with_rbac() -> None:
    authorizer = RBACAuthorizer(View(cluster_role(), role_binding("b", "prod", user("alice"))))
    soon = Deadline.after(60)
    assert authorizer.allows(someone("alice"), asks(), deadline=soon)
    assert not authorizer.allows(someone("bob"), asks(), deadline=soon)
    assert authorizer.allows(someone("root", "system:masters"), asks(where=""), deadline=soon, fresh=True)


def test_the_authorizer_gives_up_when_the_time_is_up() -> None:
    with pytest.raises(FactUnavailable, match="asking whether alice can create virtualmachineinstancemigrations"):
        RBACAuthorizer(View()).allows(someone(), asks(), deadline=Deadline.after(-1))
