"""Everything that is in the way of a migration is told, and each thing once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support import builders
from tests.support.engine import NOW, Json, judging, mutating, policy, policy_set
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.errors import FactUnavailable
from webhook.impact.vm.name import VMName, migration_request
from webhook.impact.vm.refusals import KUBERNETES, KUBEVIRT, MIGGUARD, Reason, refusals, warnings
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.model.facts import Attributes, Deadline
from webhook.model.request import UserInfo
from webhook.offline.tracing.factsource import FactSources
from webhook.offline.tracing.steps import Trace
from webhook.offline.tracing.trace import trace

DB = VMName("prod", "db")
MAY = (builders.cluster_role(), builders.role_binding("move", "prod", builders.user("alice")))
RUNNING = builders.vmi()
EASY = policy("easy")


def judged(
    documents: Sequence[Json], objects: Sequence[Json], authorizer: object = None
) -> tuple[Trace, tuple[Reason, ...]]:
    view = View(builders.namespace(), *objects)
    world = World(view, authorizer or RBACAuthorizer(view))  # type: ignore[arg-type]  # what a test gives is one
    policies = policy_set(*documents, catalog=CATALOG)
    asked = migration_request(DB, builders.someone(), view)
    found = trace(asked, policies=policies, world=world, now=NOW, beyond_refusal=True)
    return found, refusals(found, FactSources(policies, world, NOW).context(asked, view), DB)


def told(documents: Sequence[Json], *objects: Json) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.message, one.by) for one in judged(documents, objects)[1]]


def saying(message: str, expression: str, name: str) -> Json:
    return policy(name, validations=[{"expression": expression, "message": message, "remediation": "do this"}])


def test_nothing_is_in_the_way_of_who_may_migrate_a_vm_that_runs():
    assert told([EASY], *MAY, RUNNING) == []


def test_every_policy_that_refuses_is_told_and_every_validation_of_it():
    both = policy(
        "b", validations=[{"expression": "false", "message": "first"}, {"expression": "1 == 2", "message": "second"}]
    )
    assert told([saying("no", "false", "a"), both, EASY], *MAY, RUNNING) == [
        ("no", ("a",)),
        ("first", ("b",)),
        ("second", ("b",)),
    ]


def test_policies_of_both_calls_are_told():
    early = policy("early", validations=[{"expression": "false", "message": "no"}], admissionPhase="Mutate")
    assert told([early, saying("neither", "false", "late")], *MAY, RUNNING) == [
        ("no", ("early",)),
        ("neither", ("late",)),
    ]


def test_a_policy_that_only_warns_is_no_refusal_but_is_told():
    found, reasons = judged([judging("false", "w", validationActions=["Warn"])], [*MAY, RUNNING])
    assert reasons == ()
    assert [(one.message, one.by) for one in warnings(found)] == [("it does not hold", ("w",))]


def test_a_policy_that_is_only_recorded_is_not_told():
    found, reasons = judged([judging("false", "a", validationActions=["Audit"])], [*MAY, RUNNING])
    assert (reasons, warnings(found)) == ((), ())


def test_what_would_be_changed_is_told():
    found, _ = judged([mutating("{'spec': {'x': 1}}", "sets")], [*MAY, RUNNING])
    assert [(one.message, one.by) for one in warnings(found)] == [("was defaulted", ("sets",))]


def test_a_policy_that_cannot_be_judged_refuses_a_person():
    ((message, by),) = told([judging("object.spec.nothing == 1", "broken")], *MAY, RUNNING)
    assert message.startswith("it could not be judged: validations[0]:")
    assert by == ("broken",)
    assert told([judging("object.spec.nothing == 1", "broken", failurePolicy="Ignore")], *MAY, RUNNING) == []


NOT_MIGRATABLE = {"type": "LiveMigratable", "status": "False", "reason": "HostDeviceNotLiveMigratable", "message": "x"}
NO_DISKS = {**NOT_MIGRATABLE, "reason": "DisksNotLiveMigratable"}

OWN = {
    "no-right": ((RUNNING,), KUBERNETES, "alice may not create virtualmachineinstancemigrations.kubevirt.io -n prod"),
    "stopped": ((*MAY, builders.vm()), KUBEVIRT, "VM prod/db is not running, and only a running VM is migrated"),
    "ended": (
        (*MAY, builders.vmi(phase="Failed")),
        KUBEVIRT,
        "VM prod/db has ended (Failed), and only a running VM is migrated",
    ),
    "not-migratable": (
        (*MAY, builders.vmi(status={"conditions": [NOT_MIGRATABLE]})),
        KUBEVIRT,
        "KubeVirt calls VM prod/db not live migratable: HostDeviceNotLiveMigratable: x",
    ),
    "under-way": (
        (*MAY, RUNNING, builders.vmim("m1", phase="Running"), builders.vmim("m0", phase="Succeeded")),
        KUBEVIRT,
        "VM prod/db is already being migrated (VirtualMachineInstanceMigration m1)",
    ),
}


@pytest.mark.parametrize(("objects", "who", "message"), OWN.values(), ids=OWN)
def test_what_kubernetes_and_kubevirt_refuse_is_told_with_what_to_do(objects, who, message):
    _, reasons = judged([EASY], objects)
    assert [(one.message, one.by) for one in reasons] == [(message, (who,))]
    assert reasons[0].remedy


@pytest.mark.parametrize(
    ("objects", "expression"),
    [
        pytest.param((RUNNING,), "requester.canMigrate", id="no-right"),
        pytest.param((*MAY, builders.vmi(phase="Failed")), "vmi.phase == 'Running'", id="ended"),
        pytest.param(
            (*MAY, builders.vmi(status={"conditions": [NOT_MIGRATABLE]})), "vmi.obstacles.size() == 0", id="obstacles"
        ),
        pytest.param(
            (*MAY, builders.vmi(status={"conditions": [NO_DISKS]})),
            "vmi.liveMigratable != 'False' && volumes.blocking.size() == 0",
            id="disks",
        ),
        pytest.param((*MAY, RUNNING, builders.vmim("m1")), "migrations.unfinishedOfVM.size() == 0", id="under-way"),
    ],
)
def test_where_a_policy_says_the_same_its_words_stand_and_both_are_named(objects, expression):
    ((message, by),) = told([saying("our words", expression, "ours")], *objects)
    assert message == "our words"
    assert by[0] == "ours"
    assert set(by[1:]) < {KUBERNETES, KUBEVIRT}


def test_that_a_vm_is_stopped_says_more_than_that_its_vmi_does_not_exist():
    ((message, by),) = told([saying("no such VMI", "vmi.found", "ours")], *MAY, builders.vm())
    assert message == "VM prod/db is not running, and only a running VM is migrated"
    assert by == ("ours", KUBEVIRT)


class Mute:
    """Nobody answers."""

    def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
        raise FactUnavailable("the API server does not answer")


def test_that_nobody_can_tell_is_a_reason_too():
    _, reasons = judged([EASY], [RUNNING], Mute())
    assert [(one.message, one.by) for one in reasons] == [
        ("nobody can tell: the API server does not answer", (MIGGUARD,))
    ]


def test_the_remedy_binds_the_role_to_just_that_user_in_just_that_namespace():
    _, (reason,) = judged([EASY], [RUNNING])
    assert reason.remedy.endswith(
        "oc create rolebinding migrate-alice -n prod --clusterrole=kubevirt.io:migrate --user=alice"
    )
