"""The migrate rights. Source: KubeVirt pkg/virt-operator/resource/generate/rbac/cluster.go; Kubernetes RBAC."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import (
    EVERYTHING,
    MIGRATE_RULES,
    cluster_role,
    cluster_role_binding,
    context,
    create,
    delete,
    group,
    hyperconverged,
    migration_policy,
    request,
    role,
    role_binding,
    service_account,
    someone,
    update,
    user,
    vmim,
)
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import HYPERCONVERGED, MIGRATION_POLICY, VMIM
from webhook.model.facts import Attributes, Deadline, FactContext
from webhook.model.request import AdmissionRequest, Operation, UserInfo

CREATE = create(VMIM, vmim())
UPDATE = update(VMIM, vmim(), vmim())
DELETE = delete(VMIM, vmim())
ON_VMIMS, ON_VMS = (
    "create virtualmachineinstancemigrations.kubevirt.io -n prod",
    "update virtualmachines.subresources.kubevirt.io/db --subresource=migrate -n prod",
)
EFFECTIVE = {"permission": {"mode": "effective", "trustedClusterRoles": ["kubevirt.io:migrate"]}}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"requester.{name}"].resolve(found)


def verbs(*allowed: str) -> list[dict[str, Any]]:
    return [MIGRATE_RULES[0], {**MIGRATE_RULES[1], "verbs": list(allowed)}]


@pytest.mark.parametrize(
    ("asked", "rules", "held"),
    [
        pytest.param(CREATE, MIGRATE_RULES, True, id="create by the stock role"),
        pytest.param(UPDATE, MIGRATE_RULES, True, id="update by the stock role"),
        pytest.param(DELETE, MIGRATE_RULES, True, id="cancel by the stock role"),
        pytest.param(CREATE, verbs("create"), True, id="create needs create"),
        pytest.param(CREATE, verbs("update", "patch", "delete"), False, id="create needs nothing else"),
        pytest.param(UPDATE, verbs("update"), True, id="update by update"),
        pytest.param(UPDATE, verbs("patch"), True, id="update by patch"),
        pytest.param(UPDATE, verbs("create", "delete"), False, id="update without either"),
        pytest.param(DELETE, verbs("delete"), True, id="cancel by delete"),
        pytest.param(DELETE, verbs("deletecollection"), True, id="cancel by deletecollection"),
        pytest.param(DELETE, verbs("create", "update"), False, id="cancel without either"),
        pytest.param(CREATE, MIGRATE_RULES[1:], False, id="the verb without the subresource"),
        pytest.param(CREATE, MIGRATE_RULES[:1], False, id="the subresource without the verb"),
        pytest.param(CREATE, [], False, id="a trusted role that was emptied"),
    ],
)
def test_a_trusted_role_must_itself_grant_what_the_operation_needs(
    asked: AdmissionRequest, rules: list[dict[str, Any]], held: bool
) -> None:
    found = context(asked, cluster_role(rules=rules), role_binding("b", "prod", user("alice")))
    assert ask("canMigrate", found) is held


ADMIN = cluster_role("cluster-admin", EVERYTHING)
LEFT_OVER = cluster_role("kubevirt.io:upgrademigrate")
ROBOT = UserInfo(username="system:serviceaccount:ci:robot", groups=("system:serviceaccounts",))


@pytest.mark.parametrize(
    ("who", "binding", "held"),
    [
        pytest.param(someone(), role_binding("b", "prod", user("alice")), True, id="in the namespace"),
        pytest.param(someone(), role_binding("b", "test", user("alice")), False, id="in another namespace"),
        pytest.param(someone(), cluster_role_binding("b", user("alice")), True, id="cluster-wide"),
        pytest.param(someone("alice", "devs"), role_binding("b", "prod", group("devs")), True, id="by group"),
        pytest.param(ROBOT, role_binding("b", "prod", service_account("robot", "ci")), True, id="service account"),
        pytest.param(
            ROBOT, role_binding("b", "prod", group("system:serviceaccounts")), True, id="all service accounts"
        ),
        pytest.param(
            someone(), cluster_role_binding("b", user("alice"), role="cluster-admin"), True, id="cluster-admin"
        ),
        pytest.param(
            someone(), role_binding("b", "prod", user("alice"), role="cluster-admin"), True, id="admin of a namespace"
        ),
        pytest.param(
            someone(),
            role_binding("b", "prod", user("alice"), role="kubevirt.io:upgrademigrate"),
            False,
            id="left-over",
        ),
        pytest.param(someone("root", "system:masters"), role_binding("b", "test"), True, id="system:masters"),
    ],
)
def test_explicit_mode_wants_a_binding_to_a_trusted_role(who: UserInfo, binding: dict[str, Any], held: bool) -> None:
    found = context(create(VMIM, vmim(), by=who), cluster_role(), ADMIN, LEFT_OVER, binding)
    assert ask("canMigrate", found) is held
    assert ask("missing", found) == ([] if held else [ON_VMIMS, ON_VMS])


def test_system_masters_counts_as_cluster_admin_and_that_must_be_trusted() -> None:
    asked = create(VMIM, vmim(), by=someone("root", "system:masters"))
    only_migrate = {"permission": {"mode": "explicit", "trustedClusterRoles": ["kubevirt.io:migrate"]}}
    assert ask("canMigrate", context(asked, cluster_role(), parameters=only_migrate)) is False
    assert ask("boundTo", context(asked)) == ["group system:masters, which may do everything without a binding"]


def test_rights_may_come_from_two_trusted_roles() -> None:
    found = context(
        CREATE,
        cluster_role("kubevirt.io:migrate", MIGRATE_RULES[1:]),
        cluster_role("cluster-admin", MIGRATE_RULES[:1]),
        role_binding("a", "prod", user("alice")),
        role_binding("b", "prod", user("alice"), role="cluster-admin"),
    )
    assert ask("canMigrate", found) is True


def test_a_right_for_one_named_vm_does_not_reach_another() -> None:
    named = [{**MIGRATE_RULES[0], "resourceNames": ["web"]}, MIGRATE_RULES[1]]
    objects = cluster_role(rules=named), role_binding("b", "prod", user("alice"))
    assert ask("missing", context(CREATE, *objects)) == [ON_VMS]
    assert ask("missing", context(create(VMIM, vmim(vmi_name="web")), *objects)) == []


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        pytest.param(delete(VMIM, vmim("mine")), True, id="cancel of the named one"),
        pytest.param(delete(VMIM, vmim("other")), False, id="cancel of another"),
        pytest.param(update(VMIM, vmim("mine"), vmim("mine")), True, id="update of the named one"),
        pytest.param(create(VMIM, vmim("mine")), False, id="a create has no name yet"),
    ],
)
def test_resource_names_on_vmims_count_for_what_has_a_name(asked: AdmissionRequest, held: bool) -> None:
    named = [MIGRATE_RULES[0], {**MIGRATE_RULES[1], "resourceNames": ["mine"]}]
    assert (
        ask("canMigrate", context(asked, cluster_role(rules=named), role_binding("b", "prod", user("alice")))) is held
    )


def test_a_role_named_like_a_trusted_cluster_role_is_not_trusted() -> None:
    found = context(
        CREATE,
        cluster_role(),
        role("kubevirt.io:migrate", "prod", MIGRATE_RULES),
        role_binding("b", "prod", user("alice"), kind="Role"),
    )
    assert ask("canMigrate", found) is False
    assert ask("boundTo", found) == ["RoleBinding prod/b to Role prod/kubevirt.io:migrate (user alice)"]


class Answers:
    """An authorizer that allows what it was told."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
        return str(attributes) in self.allowed


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [
        pytest.param((ON_VMIMS, ON_VMS), [], id="both"),
        pytest.param((ON_VMIMS,), [ON_VMS], id="only the verb"),
        pytest.param((ON_VMS,), [ON_VMIMS], id="only the subresource"),
        pytest.param((), [ON_VMIMS, ON_VMS], id="neither"),
    ],
)
def test_effective_mode_asks_the_authorizer_for_both(allowed: tuple[str, ...], missing: list[str]) -> None:
    found = context(CREATE, parameters=EFFECTIVE, authorizer=Answers(*allowed))
    assert ask("missing", found) == missing
    assert ask("canMigrate", found) is (not missing)
    assert [question["canI"] for question in found.questions] == [ON_VMIMS, ON_VMS]


def test_effective_mode_takes_either_verb_of_a_cancel() -> None:
    collection = "deletecollection virtualmachineinstancemigrations.kubevirt.io -n prod"
    found = context(DELETE, parameters=EFFECTIVE, authorizer=Answers(collection, ON_VMS))
    assert ask("canMigrate", found) is True


def test_when_nobody_can_tell_there_is_no_answer() -> None:
    class Silent:
        def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
            raise FactUnavailable("the API server did not answer")

    with pytest.raises(FactUnavailable, match="did not answer"):
        ask("canMigrate", context(CREATE, parameters=EFFECTIVE, authorizer=Silent()))


def test_every_binding_that_grants_is_told_trusted_ones_first() -> None:
    found = context(
        CREATE,
        cluster_role(),
        LEFT_OVER,
        role_binding("a-left-over", "prod", user("alice"), role="kubevirt.io:upgrademigrate"),
        role_binding("b-migrate", "prod", user("alice")),
        cluster_role_binding("all", group("system:authenticated"), role="kubevirt.io:upgrademigrate"),
    )
    assert ask("boundTo", found) == [
        "RoleBinding prod/b-migrate to ClusterRole kubevirt.io:migrate (user alice)",
        "ClusterRoleBinding all to ClusterRole kubevirt.io:upgrademigrate (group system:authenticated)",
        "RoleBinding prod/a-left-over to ClusterRole kubevirt.io:upgrademigrate (user alice)",
    ]


def test_for_a_cluster_scoped_object_the_right_is_needed_everywhere() -> None:
    asked = create(MIGRATION_POLICY, migration_policy())
    found = context(asked, cluster_role(), role_binding("b", "prod", user("alice")))
    assert ask("canMigrate", found) is False


def test_for_another_kind_it_is_the_right_to_create_a_vmim_in_its_namespace() -> None:
    asked = update(HYPERCONVERGED, hyperconverged(), hyperconverged())
    assert ask("missing", context(asked))[0] == "create virtualmachineinstancemigrations.kubevirt.io -n openshift-cnv"


def test_bindings_are_found_by_index() -> None:
    found = context(CREATE, cluster_role(), role_binding("b", "prod", user("alice")))
    for name in ("canMigrate", "missing", "boundTo", "grants", "untrusted", "how", "remedy"):
        ask(name, found)
    assert found.view.listed == []  # type: ignore[attr-defined]  # the fake notes what was listed


# How a right comes about

TO_ADMIN = {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}
ADMIN_ROLE = cluster_role("admin", MIGRATE_RULES, aggregates=[{"matchLabels": TO_ADMIN}])
STATUS = request(VMIM, Operation.UPDATE, old=vmim(), new=vmim(), subresource="status")
ON_STATUS = "update virtualmachineinstancemigrations.kubevirt.io/migrate-db --subresource=status -n prod"


@pytest.mark.parametrize(
    ("objects", "who", "how", "told"),
    [
        pytest.param(
            [cluster_role(), role_binding("b", "prod", user("alice"))],
            someone(),
            "trusted role",
            "RoleBinding prod/b to ClusterRole kubevirt.io:migrate (user alice)",
            id="rbac/cluster.go: kubevirt.io:migrate",
        ),
        pytest.param(
            [ADMIN, cluster_role_binding("b", group("ops"), role="cluster-admin")],
            someone("alice", "ops"),
            "trusted role",
            "ClusterRoleBinding b to ClusterRole cluster-admin (group ops)",
            id="domain.md §b: cluster-admin",
        ),
        pytest.param(
            [LEFT_OVER, role_binding("b", "prod", user("alice"), role="kubevirt.io:upgrademigrate")],
            someone(),
            "custom role",
            "RoleBinding prod/b to ClusterRole kubevirt.io:upgrademigrate (user alice)",
            id="domain.md §e17: the role of the upgrade, bound",
        ),
        pytest.param(
            [
                ADMIN_ROLE,
                cluster_role("kubevirt.io:upgrademigrate", labels=TO_ADMIN),
                role_binding("b", "prod", user("alice"), role="admin"),
            ],
            someone(),
            "aggregation",
            "RoleBinding prod/b to ClusterRole admin "
            "(user alice; aggregated from ClusterRole kubevirt.io:upgrademigrate)",
            id="domain.md §e17: the role of the upgrade, aggregated",
        ),
        pytest.param(
            [
                ADMIN_ROLE,
                cluster_role(labels=TO_ADMIN),
                cluster_role_binding("b", group("devs"), role="admin"),
            ],
            someone("alice", "devs"),
            "aggregation",
            "ClusterRoleBinding b to ClusterRole admin (group devs; aggregated from ClusterRole kubevirt.io:migrate)",
            id="domain.md §e17: kubevirt.io:migrate, aggregated",
        ),
        pytest.param(
            [ADMIN_ROLE, role_binding("b", "prod", user("alice"), role="admin")],
            someone(),
            "aggregation",
            "RoleBinding prod/b to ClusterRole admin (user alice; aggregated from a ClusterRole that is gone)",
            id="domain.md §b: only rules count, not selectors",
        ),
        pytest.param(
            [role("r", "prod", EVERYTHING), role_binding("b", "prod", user("alice"), role="r", kind="Role")],
            someone(),
            "wildcard",
            "RoleBinding prod/b to Role prod/r (user alice; by wildcard)",
            id="domain.md §e17: a wildcard role",
        ),
        pytest.param(
            [
                role("r", "prod", MIGRATE_RULES),
                role_binding("b", "prod", service_account("robot", "ci"), role="r", kind="Role"),
            ],
            ROBOT,
            "custom role",
            "RoleBinding prod/b to Role prod/r (service account ci/robot)",
            id="domain.md §e18: a service account",
        ),
        pytest.param(
            [cluster_role("x"), cluster_role_binding("b", group("system:serviceaccounts"), role="x")],
            ROBOT,
            "custom role",
            "ClusterRoleBinding b to ClusterRole x (group system:serviceaccounts)",
            id="domain.md §b: the groups of a service account",
        ),
        pytest.param(
            [],
            someone("root", "system:masters"),
            "system:masters",
            "group system:masters, which may do everything without a binding",
            id="domain.md §b: system:masters",
        ),
    ],
)
def test_it_is_known_how_the_right_is_held(objects: list[dict[str, Any]], who: UserInfo, how: str, told: str) -> None:
    found = context(create(VMIM, vmim(), by=who), *objects)
    assert ask("how", found) == [how]
    assert ask("boundTo", found) == [told]


@pytest.mark.parametrize(
    "binding",
    [
        pytest.param(role_binding("b", "prod", user("alice"), role="gone"), id="rule.go: the role is missing"),
        pytest.param(role_binding("b", "test", user("alice")), id="rule.go: another namespace"),
        pytest.param(
            role_binding("b", "prod", user("alice"), kind="Role"), id="rule.go: a Role of that name is missing"
        ),
        pytest.param(role_binding("b", "prod", group("alice")), id="rule.go: a group named like the user"),
    ],
)
def test_what_grants_nothing_is_not_told(binding: dict[str, Any]) -> None:
    found = context(CREATE, cluster_role(), binding)
    assert (ask("how", found), ask("boundTo", found), ask("grants", found)) == ([], [], [])


def test_every_way_is_told_once_with_all_rights_that_are_held_in_it() -> None:
    found = context(
        CREATE,
        cluster_role(),
        cluster_role("creators", verbs("create")[1:]),
        role_binding("a", "prod", user("alice"), role="creators"),
        role_binding("b", "prod", user("alice")),
    )
    assert ask("grants", found) == [
        {
            "rights": [ON_VMIMS, ON_VMS],
            "how": "trusted role",
            "binding": "RoleBinding prod/b",
            "role": "ClusterRole kubevirt.io:migrate",
            "subject": "User alice",
            "through": [],
        },
        {
            "rights": [ON_VMIMS],
            "how": "custom role",
            "binding": "RoleBinding prod/a",
            "role": "ClusterRole creators",
            "subject": "User alice",
            "through": [],
        },
    ]
    assert ask("how", found) == ["trusted role", "custom role"]
    assert ask("untrusted", found) == []


def test_only_what_is_missing_is_called_untrusted() -> None:
    """Who holds the verb by a trusted role and the subresource by another must not read that the former is not."""
    found = context(
        CREATE,
        cluster_role(rules=MIGRATE_RULES[1:]),
        cluster_role("virtctl", MIGRATE_RULES[:1]),
        role_binding("a", "prod", user("alice")),
        role_binding("b", "prod", user("alice"), role="virtctl"),
    )
    assert ask("missing", found) == [ON_VMS]
    assert ask("untrusted", found) == ["RoleBinding prod/b to ClusterRole virtctl (user alice)"]


def test_what_is_told_is_bounded() -> None:
    bindings = [role_binding(f"b{number:03}", "prod", user("alice"), role="x") for number in range(100)]
    found = context(CREATE, cluster_role("x"), cluster_role(), *bindings, role_binding("z", "prod", user("alice")))
    assert [len(ask(name, found)) for name in ("grants", "boundTo", "untrusted")] == [20, 20, 0]
    assert ask("boundTo", found)[0] == "RoleBinding prod/z to ClusterRole kubevirt.io:migrate (user alice)"


@pytest.mark.parametrize(
    ("allowed", "how", "told"),
    [
        pytest.param((ON_VMIMS, ON_VMS), ["another authorizer"], ["an authorizer other than RBAC"], id="it says yes"),
        pytest.param((ON_VMS,), [], [], id="not to the verb"),
        pytest.param((), [], [], id="it says no"),
    ],
)
def test_another_authorizer_is_named_only_where_it_says_yes(
    allowed: tuple[str, ...], how: list[str], told: list[str]
) -> None:
    found = context(CREATE, cluster_role(), authorizer=Answers(*allowed))
    assert (ask("how", found), ask("boundTo", found)) == (how, told)


def test_nobody_is_asked_twice() -> None:
    found = context(CREATE, parameters=EFFECTIVE, authorizer=Answers())
    for name in ("missing", "grants", "how"):
        ask(name, found)
    assert [question["canI"] for question in found.questions] == [ON_VMIMS, ON_VMS]


def test_nobody_is_asked_where_rbac_grants_it() -> None:
    found = context(CREATE, cluster_role(), role_binding("b", "prod", user("alice")), authorizer=Answers())
    ask("grants", found)
    assert found.questions == []


def test_nobody_is_asked_about_a_drain() -> None:
    controller = someone("system:serviceaccount:kubevirt:kubevirt-controller")
    found = context(create(VMIM, vmim(), by=controller), authorizer=Answers())
    assert ask("grants", found) == []
    assert found.questions == []


def test_that_nobody_answers_does_not_hide_what_is_missing() -> None:
    class Silent:
        def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
            raise FactUnavailable("the API server did not answer")

    found = context(CREATE, authorizer=Silent())
    assert (ask("grants", found), ask("missing", found)) == ([], [ON_VMIMS, ON_VMS])


@pytest.mark.parametrize(
    ("rules", "held"),
    [
        pytest.param(MIGRATE_RULES, False, id="rbac/cluster.go: kubevirt.io:migrate has no right to the status"),
        pytest.param(
            [{**MIGRATE_RULES[1], "resources": ["virtualmachineinstancemigrations/status"]}], True, id="rule.go: named"
        ),
        pytest.param([{**MIGRATE_RULES[1], "resources": ["*/status"]}], True, id="rule.go: any status"),
        pytest.param(EVERYTHING, True, id="rule.go: everything"),
        pytest.param(
            [{**MIGRATE_RULES[1], "resources": ["virtualmachineinstancemigrations/*"]}],
            False,
            id="rule.go: no globbing",
        ),
    ],
)
def test_to_write_the_status_takes_the_right_to_the_status(rules: list[dict[str, Any]], held: bool) -> None:
    found = context(STATUS, cluster_role(rules=rules), role_binding("b", "prod", user("alice")))
    assert ask("canMigrate", found) is held
    assert ask("missing", found) == ([] if held else [ON_STATUS])


def test_the_right_to_the_status_is_none_to_the_migration() -> None:
    rules = [MIGRATE_RULES[0], {**MIGRATE_RULES[1], "resources": ["*/status"]}]
    found = context(UPDATE, cluster_role(rules=rules), role_binding("b", "prod", user("alice")))
    assert ask("canMigrate", found) is False
