"""What a write of RBAC objects makes wider. Source: Kubernetes pkg/controller/clusterroleaggregation."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import (
    EVERYTHING,
    MIGRATE_RULES,
    cluster_role,
    cluster_role_binding,
    context,
    create,
    delete,
    group,
    kubevirt,
    request,
    role,
    role_binding,
    service_account,
    update,
    user,
)
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.permission import MIGRATE_RIGHTS, NAMELESS
from webhook.kubevirt.rbac import rule_allows
from webhook.kubevirt.rbacchange import carried
from webhook.kubevirt.resources import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, KUBEVIRT, ROLE, ROLE_BINDING
from webhook.model.facts import Deadline, FactContext
from webhook.model.request import AdmissionRequest, Operation

Json = dict[str, Any]

TO_ADMIN = {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}
TO_EDIT = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
PODS = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
ADMIN = cluster_role("admin", PODS, aggregates=[{"matchLabels": TO_ADMIN}])
EDIT = cluster_role("edit", PODS, aggregates=[{"matchLabels": TO_EDIT}], labels=TO_ADMIN)
VIEW = cluster_role("view", PODS, aggregates=[{"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}])
STOCK = cluster_role(labels={"kubevirt.io": ""})
ALL = [
    *(
        f"{verb} virtualmachineinstancemigrations"
        for verb in ("create", "update", "patch", "delete", "deletecollection")
    ),
    "update virtualmachines/migrate",
]


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"rbac.{name}"].resolve(found)


def on_vmims(*verbs: str, **more: Any) -> Json:
    return {**MIGRATE_RULES[1], "verbs": list(verbs), **more}


def on_migrate(**more: Any) -> Json:
    return {**MIGRATE_RULES[0], **more}


def named(*verbs: str) -> list[str]:
    return [f"{verb} virtualmachineinstancemigrations" for verb in verbs]


# Roles


@pytest.mark.parametrize(
    ("rules", "gives", "how"),
    [
        pytest.param(MIGRATE_RULES, ALL, "explicit", id="rbac/cluster.go: a copy of kubevirt.io:migrate"),
        pytest.param([on_vmims("create")], named("create"), "explicit", id="domain.md §b: kubectl create vmim"),
        pytest.param(
            [on_migrate()], ["update virtualmachines/migrate"], "explicit", id="domain.md §b: virtctl migrate"
        ),
        pytest.param([on_vmims("delete")], named("delete"), "explicit", id="domain.md §b: virtctl migrate-cancel"),
        pytest.param(
            [on_vmims("deletecollection")], named("deletecollection"), "explicit", id="domain.md §b: cancel all"
        ),
        pytest.param([on_vmims("patch")], named("patch"), "explicit", id="domain.md §b: patch"),
        pytest.param([on_vmims("get", "list", "watch")], [], "", id="rbac/cluster.go: kubevirt.io:view"),
        pytest.param(
            [on_vmims("*")],
            named("create", "update", "patch", "delete", "deletecollection"),
            "wildcard",
            id="rule.go: every verb",
        ),
        pytest.param([on_vmims("create", resources=["*"])], named("create"), "wildcard", id="rule.go: every resource"),
        pytest.param([on_vmims("create", apiGroups=["*"])], named("create"), "wildcard", id="rule.go: every group"),
        pytest.param(EVERYTHING, ALL, "wildcard", id="rule.go: everything"),
        pytest.param(
            [on_migrate(resources=["*/migrate"])],
            ["update virtualmachines/migrate"],
            "wildcard",
            id="rule.go: */migrate",
        ),
        pytest.param([on_migrate(resources=["*/*"])], [], "", id="rule.go: */* is no subresource"),
        pytest.param([on_migrate(resources=["virtualmachines/*"])], [], "", id="rule.go: no globbing"),
        pytest.param(
            [on_migrate(resources=["virtualmachines"])], [], "", id="rule.go: the resource is not its subresource"
        ),
        pytest.param(
            [on_migrate(verbs=["create"])], [], "", id="rbac/cluster.go: update is the only verb of the subresource"
        ),
        pytest.param(
            [on_migrate(apiGroups=["kubevirt.io"])], [], "", id="rbac/cluster.go: the subresource has its own group"
        ),
        pytest.param(
            [on_vmims("update", resources=["virtualmachineinstancemigrations/status"])],
            [],
            "",
            id="rule.go: only the status",
        ),
        pytest.param([on_vmims("update", resources=["*/status"])], [], "", id="rule.go: any status"),
        pytest.param(
            [on_vmims("create", "delete", "deletecollection", resourceNames=["a"])],
            named("delete"),
            "explicit",
            id="rule.go: resourceNames never match a create or deletecollection",
        ),
        pytest.param(
            [on_migrate(resourceNames=["db"])], ["update virtualmachines/migrate"], "explicit", id="rule.go: for one VM"
        ),
        pytest.param([on_vmims("create"), *EVERYTHING], ALL, "explicit", id="rule.go: named beside a wildcard"),
        pytest.param([{"verbs": ["*"], "nonResourceURLs": ["*"]}], [], "", id="rule.go: paths"),
        pytest.param([{"verbs": "*", "apiGroups": None}], [], "", id="malformed"),
        pytest.param([], [], "", id="no rules"),
    ],
)
@pytest.mark.parametrize("cluster_wide", [True, False], ids=["ClusterRole", "Role"])
def test_a_new_role_gives_what_its_rules_say(rules: list[Json], gives: list[str], how: str, cluster_wide: bool) -> None:
    made = cluster_role("x", rules) if cluster_wide else role("x", "prod", rules)
    found = context(create(CLUSTER_ROLE if cluster_wide else ROLE, made))
    assert (ask("gives", found), ask("how", found), ask("carries", found)) == (gives, how, gives)


@pytest.mark.parametrize(
    ("before", "after", "gives"),
    [
        pytest.param(PODS, MIGRATE_RULES, ALL, id="all of it"),
        pytest.param([on_vmims("delete")], [on_vmims("delete", "create")], named("create"), id="one verb more"),
        pytest.param([on_vmims("create", "delete")], [on_vmims("delete")], [], id="one verb less"),
        pytest.param(MIGRATE_RULES, MIGRATE_RULES, [], id="nothing"),
        pytest.param(MIGRATE_RULES, EVERYTHING, [], id="a wildcard over what it had"),
        pytest.param(MIGRATE_RULES, [*MIGRATE_RULES, *PODS], [], id="something else"),
    ],
)
def test_only_what_a_role_gains_counts(before: list[Json], after: list[Json], gives: list[str]) -> None:
    found = context(update(CLUSTER_ROLE, cluster_role("x", before), cluster_role("x", after)))
    assert ask("gives", found) == gives


WORDS = st.sampled_from(
    [
        *("*", "create", "update", "delete", "deletecollection", "kubevirt.io", "subresources.kubevirt.io"),
        *("virtualmachineinstancemigrations", "virtualmachines/migrate", "*/migrate", "virtualmachines", "db"),
    ]
)
RULES = st.lists(
    st.fixed_dictionaries(
        {key: st.lists(WORDS, max_size=3) for key in ("verbs", "apiGroups", "resources")},
        optional={"resourceNames": st.just(["db"])},
    ),
    max_size=3,
)


@given(RULES)
def test_what_rules_carry_agrees_with_the_authorizer(rules: list[Json]) -> None:
    """A right is carried if there is a request that a rule allows: for a verb with a name, that of a listed object."""
    for right in MIGRATE_RIGHTS:
        named_right = (
            right
            if right.verb in NAMELESS
            else type(right)(
                verb=right.verb, group=right.group, resource=right.resource, subresource=right.subresource, name="db"
            )
        )
        assert (right in carried(rules)) is any(rule_allows(rule, named_right) for rule in rules)


# Aggregation


@pytest.mark.parametrize(
    ("before", "after", "into", "labels"),
    [
        pytest.param(
            cluster_role(labels={"kubevirt.io": ""}),
            cluster_role(labels={"kubevirt.io": "", **TO_ADMIN}),
            ["admin"],
            [*TO_ADMIN],
            id="OpenShift document: the label restores the old behaviour",
        ),
        pytest.param(
            cluster_role(), cluster_role(labels=TO_EDIT), ["admin", "edit"], [*TO_EDIT], id="k8s: edit is part of admin"
        ),
        pytest.param(
            cluster_role(labels=TO_ADMIN),
            cluster_role(labels={**TO_ADMIN, **TO_EDIT}),
            ["edit"],
            sorted({**TO_ADMIN, **TO_EDIT}),
            id="one more label",
        ),
        pytest.param(
            cluster_role(labels=TO_ADMIN), cluster_role(labels={**TO_ADMIN, "a": "b"}), [], [], id="ratchet: as before"
        ),
        pytest.param(cluster_role(labels=TO_ADMIN), cluster_role(), [], [], id="the label is taken off"),
        pytest.param(
            cluster_role(),
            cluster_role(labels={next(iter(TO_ADMIN)): "false"}),
            [],
            [],
            id="domain.md §b: Manual says false",
        ),
        pytest.param(
            None,
            cluster_role("kubevirt.io:upgrademigrate", labels=TO_ADMIN),
            ["admin"],
            [*TO_ADMIN],
            id="domain.md §e17: created",
        ),
        pytest.param(
            cluster_role("x", PODS, labels=TO_ADMIN),
            cluster_role("x", MIGRATE_RULES, labels=TO_ADMIN),
            ["admin"],
            [*TO_ADMIN],
            id="the rules of a labelled role are widened",
        ),
        pytest.param(
            cluster_role("x", [on_vmims("create", "delete")], labels=TO_ADMIN),
            cluster_role("x", [on_vmims("create")], labels=TO_ADMIN),
            [],
            [],
            id="the rules of a labelled role are narrowed",
        ),
        pytest.param(None, cluster_role("x", PODS, labels=TO_ADMIN), [], [], id="it carries no migrate right"),
        pytest.param(
            None,
            cluster_role("x", [on_vmims("get")], labels=TO_ADMIN),
            [],
            [],
            id="rbac/cluster.go: kubevirt.io:admin since 1.5",
        ),
        pytest.param(None, cluster_role("x", labels={"team": "a"}), [], [], id="nobody looks for the label"),
    ],
)
def test_it_is_known_who_takes_a_role_in(before: Json | None, after: Json, into: list[str], labels: list[str]) -> None:
    asked = create(CLUSTER_ROLE, after) if before is None else update(CLUSTER_ROLE, before, after)
    found = context(asked, ADMIN, EDIT, VIEW)
    assert (ask("aggregatesInto", found), ask("aggregationLabels", found)) == (into, labels)
    assert found.view.listed == []  # type: ignore[attr-defined]  # the fake notes what was listed


def test_a_role_does_not_take_in_itself() -> None:
    own = cluster_role("x", MIGRATE_RULES, labels=TO_ADMIN, aggregates=[{"matchLabels": TO_ADMIN}])
    assert ask("aggregatesInto", context(create(CLUSTER_ROLE, own), own)) == []


def test_a_circle_of_aggregated_roles_ends() -> None:
    ring = [
        cluster_role("a", PODS, labels=TO_EDIT, aggregates=[{"matchLabels": TO_ADMIN}]),
        cluster_role("b", PODS, labels=TO_ADMIN, aggregates=[{"matchLabels": TO_EDIT}]),
    ]
    assert ask("aggregatesInto", context(create(CLUSTER_ROLE, cluster_role(labels=TO_ADMIN)), *ring)) == ["a", "b"]


def test_a_role_of_a_namespace_is_taken_in_by_nobody() -> None:
    labelled = {**role("x", "prod", MIGRATE_RULES), "metadata": {"name": "x", "namespace": "prod", "labels": TO_ADMIN}}
    found = context(create(ROLE, labelled), ADMIN)
    assert (ask("aggregatesInto", found), ask("gives", found)) == ([], ALL)


@pytest.mark.parametrize(
    ("before", "after", "gives", "how"),
    [
        pytest.param(
            None,
            cluster_role("all", [], aggregates=[{"matchLabels": {"kubevirt.io": ""}}]),
            ALL,
            "aggregation",
            id="domain.md §b: every role of KubeVirt bears the label kubevirt.io",
        ),
        pytest.param(None, cluster_role("all", [], aggregates=[{}]), ALL, "aggregation", id="k8s: an empty selector"),
        pytest.param(
            None, cluster_role("x", [], aggregates=[{"matchLabels": {"a": "b"}}]), [], "", id="it finds nothing"
        ),
        pytest.param(
            cluster_role("x", [], aggregates=[{"matchLabels": {"a": "b"}}]),
            cluster_role("x", [], aggregates=[{"matchLabels": {"a": "b"}}, {"matchLabels": {"kubevirt.io": ""}}]),
            ALL,
            "aggregation",
            id="one more selector",
        ),
        pytest.param(
            cluster_role("all", [], aggregates=[{"matchLabels": {"kubevirt.io": ""}}]),
            cluster_role("all", MIGRATE_RULES, aggregates=[{"matchLabels": {"kubevirt.io": ""}}]),
            ALL,
            "aggregation",
            id="clusterroleaggregation_controller.go: the controller fills it",
        ),
        pytest.param(
            cluster_role("all", MIGRATE_RULES, aggregates=[{"matchLabels": {"kubevirt.io": ""}}]),
            cluster_role("all", [*MIGRATE_RULES, *PODS], aggregates=[{"matchLabels": {"kubevirt.io": ""}}]),
            [],
            "",
            id="clusterroleaggregation_controller.go: the controller adds something else",
        ),
    ],
)
def test_an_aggregated_role_gives_what_it_takes_in(
    before: Json | None, after: Json, gives: list[str], how: str
) -> None:
    asked = create(CLUSTER_ROLE, after) if before is None else update(CLUSTER_ROLE, before, after)
    found = context(asked, STOCK)
    assert (ask("gives", found), ask("how", found)) == (gives, how)


def test_the_walk_ends_when_the_time_is_up() -> None:
    found = context(create(CLUSTER_ROLE, cluster_role(labels=TO_ADMIN)), ADMIN)
    found.deadline = Deadline.after(-1)
    with pytest.raises(FactUnavailable, match="before the aggregated ClusterRoles were looked at"):
        ask("aggregatesInto", found)


# Bindings

EVERYBODY = group("system:authenticated")


@pytest.mark.parametrize(
    ("before", "after", "wide", "known"),
    [
        pytest.param(
            None, cluster_role_binding("b", user("alice")), [], True, id="OpenShift document: bound to a user"
        ),
        pytest.param(
            None, role_binding("b", "prod", group("devs")), [], True, id="OpenShift document: bound to a group"
        ),
        pytest.param(
            None,
            cluster_role_binding("b", EVERYBODY),
            ["system:authenticated"],
            True,
            id="domain.md §e17: to everybody",
        ),
        pytest.param(
            None,
            role_binding("b", "prod", EVERYBODY),
            ["system:authenticated"],
            True,
            id="domain.md §e17: in one namespace",
        ),
        pytest.param(
            None,
            role_binding("b", "prod", group("system:serviceaccounts:ci"), user("system:anonymous")),
            ["system:serviceaccounts:ci", "system:anonymous"],
            True,
            id="domain.md §e17: to all accounts of a namespace and to nobody in particular",
        ),
        pytest.param(
            None, role_binding("b", "prod", service_account("robot", "ci")), [], True, id="to one service account"
        ),
        pytest.param(None, cluster_role_binding("b", EVERYBODY, role="pods"), [], True, id="a role without the right"),
        pytest.param(
            None,
            cluster_role_binding("b", EVERYBODY, role="cluster-admin"),
            ["system:authenticated"],
            True,
            id="cluster-admin to everybody",
        ),
        pytest.param(
            None, cluster_role_binding("b", group("ops"), role="cluster-admin"), [], True, id="cluster-admin to a group"
        ),
        pytest.param(
            None,
            role_binding("b", "prod", EVERYBODY, role="movers", kind="Role"),
            ["system:authenticated"],
            True,
            id="a Role",
        ),
        pytest.param(
            None, role_binding("b", "prod", EVERYBODY, role="empty", kind="Role"), [], True, id="a Role without rules"
        ),
        pytest.param(
            None,
            role_binding("b", "test", EVERYBODY, role="movers", kind="Role"),
            ["system:authenticated"],
            False,
            id="a Role of elsewhere",
        ),
        pytest.param(
            None,
            cluster_role_binding("b", EVERYBODY, role="to-come"),
            ["system:authenticated"],
            False,
            id="a role that is not there yet",
        ),
        pytest.param(
            role_binding("b", "prod", user("alice")),
            role_binding("b", "prod", user("alice"), EVERYBODY),
            ["system:authenticated"],
            True,
            id="added",
        ),
        pytest.param(
            role_binding("b", "prod", EVERYBODY),
            role_binding("b", "prod", EVERYBODY, user("alice")),
            [],
            True,
            id="ratchet: there before",
        ),
        pytest.param(role_binding("b", "prod", EVERYBODY), role_binding("b", "prod"), [], True, id="taken out"),
    ],
)
def test_it_is_known_to_which_crowds_a_binding_gives_the_right(
    before: Json | None, after: Json, wide: list[str], known: bool
) -> None:
    watched = ROLE_BINDING if after["kind"] == "RoleBinding" else CLUSTER_ROLE_BINDING
    asked = create(watched, after) if before is None else update(watched, before, after)
    found = context(
        asked,
        STOCK,
        cluster_role("cluster-admin", EVERYTHING),
        cluster_role("pods", PODS),
        role("movers", "prod", MIGRATE_RULES),
        role("empty", "prod", []),
    )
    assert (ask("wideSubjects", found), ask("roleKnown", found)) == (wide, known)
    assert (ask("gives", found), ask("aggregatesInto", found)) == ([], [])


@pytest.mark.parametrize(
    ("asked", "name", "trusted"),
    [
        pytest.param(create(CLUSTER_ROLE, cluster_role()), "ClusterRole kubevirt.io:migrate", True, id="written"),
        pytest.param(
            create(ROLE, role("kubevirt.io:migrate", "prod", [])), "Role prod/kubevirt.io:migrate", False, id="a Role"
        ),
        pytest.param(
            create(CLUSTER_ROLE_BINDING, cluster_role_binding("b")), "ClusterRole kubevirt.io:migrate", True, id="bound"
        ),
        pytest.param(create(CLUSTER_ROLE, cluster_role("movers")), "ClusterRole movers", False, id="custom"),
        pytest.param(
            create(ROLE_BINDING, role_binding("b", "prod", role="kubevirt.io:migrate", kind="Role")),
            "Role prod/kubevirt.io:migrate",
            False,
            id="a Role bound",
        ),
        pytest.param(
            create(CLUSTER_ROLE_BINDING, {**cluster_role_binding("b"), "roleRef": None}), "", False, id="malformed"
        ),
        pytest.param(create(KUBEVIRT, kubevirt()), "", False, id="another kind"),
    ],
)
def test_the_role_is_named(asked: AdmissionRequest, name: str, trusted: bool) -> None:
    found = context(asked)
    assert (ask("role", found), ask("trusted", found)) == (name, trusted)


# What widens nothing


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(delete(CLUSTER_ROLE, cluster_role(labels=TO_ADMIN)), id="a role is deleted"),
        pytest.param(delete(CLUSTER_ROLE_BINDING, cluster_role_binding("b", EVERYBODY)), id="a binding is deleted"),
        pytest.param(
            request(CLUSTER_ROLE, Operation.UPDATE, new=cluster_role(labels=TO_ADMIN), subresource="status"),
            id="a subresource",
        ),
        pytest.param(create(KUBEVIRT, kubevirt()), id="another kind"),
        pytest.param(create(CLUSTER_ROLE, {"metadata": None, "rules": 7, "aggregationRule": []}), id="malformed role"),
        pytest.param(
            create(ROLE_BINDING, {"metadata": {"namespace": "p"}, "roleRef": 7, "subjects": {}}), id="malformed binding"
        ),
    ],
)
def test_what_widens_nothing_gives_nothing(asked: AdmissionRequest) -> None:
    found = context(asked, ADMIN, STOCK)
    for name in ("gives", "aggregatesInto", "aggregationLabels", "wideSubjects"):
        assert ask(name, found) == []
    assert (ask("how", found), ask("undo", found)) == ("", "")


# Undoing it


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        pytest.param(
            update(CLUSTER_ROLE, cluster_role(), cluster_role(labels=TO_ADMIN)),
            "oc label clusterrole kubevirt.io:migrate rbac.authorization.k8s.io/aggregate-to-admin-",
            id="a label on a role that stays",
        ),
        pytest.param(
            create(CLUSTER_ROLE, cluster_role(labels=TO_ADMIN)),
            "oc label clusterrole kubevirt.io:migrate rbac.authorization.k8s.io/aggregate-to-admin-",
            id="a label on a new role that is trusted",
        ),
        pytest.param(
            create(CLUSTER_ROLE, cluster_role("kubevirt.io:upgrademigrate", labels=TO_ADMIN)),
            "oc delete clusterrole kubevirt.io:upgrademigrate",
            id="a new role",
        ),
        pytest.param(
            create(ROLE, role("x", "prod", EVERYTHING)), "oc delete role x -n prod", id="a new role of a namespace"
        ),
        pytest.param(
            update(ROLE, role("x", "prod", []), role("x", "prod", EVERYTHING)),
            "oc edit role x -n prod",
            id="a changed role",
        ),
        pytest.param(
            create(CLUSTER_ROLE_BINDING, cluster_role_binding("b", EVERYBODY)),
            "oc delete clusterrolebinding b",
            id="a new binding",
        ),
        pytest.param(
            update(ROLE_BINDING, role_binding("b", "prod"), role_binding("b", "prod", EVERYBODY)),
            "oc edit rolebinding b -n prod",
            id="a changed binding",
        ),
        pytest.param(create(CLUSTER_ROLE_BINDING, cluster_role_binding("b", user("alice"))), "", id="nothing to undo"),
    ],
)
def test_the_command_takes_it_back(asked: AdmissionRequest, command: str) -> None:
    assert ask("undo", context(asked, ADMIN, STOCK)) == command


def test_taking_the_labels_off_really_undoes_it() -> None:
    labelled = cluster_role(labels={**TO_ADMIN, **TO_EDIT, "team": "a"})
    words = shlex.split(ask("undo", context(update(CLUSTER_ROLE, cluster_role(), labelled), ADMIN, EDIT)))
    left = {key: wanted for key, wanted in labelled["metadata"]["labels"].items() if f"{key}-" not in words}
    assert left == {"team": "a"}
    assert (
        ask("aggregatesInto", context(update(CLUSTER_ROLE, cluster_role(), cluster_role(labels=left)), ADMIN, EDIT))
        == []
    )
