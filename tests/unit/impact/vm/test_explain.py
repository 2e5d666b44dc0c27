"""What is told of a VM and of a request."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.support import builders
from tests.support.engine import NOW, policy, policy_set, refusing, request
from tests.support.view import View
from tests.unit.impact.asking import ASKS_FOR_THE_RIGHT
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.cluster.store import Store
from webhook.errors import UsageError
from webhook.impact.vm.explain import Explanation, as_json, of_vm, render
from webhook.impact.vm.name import VMName, migration_request
from webhook.impact.vm.settings import VMSettings, settings_of
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES, VMIM
from webhook.offline.tracing.factsource import FactSources
from webhook.offline.tracing.steps import Trace
from webhook.offline.tracing.trace import trace
from webhook.policy.policyset import only

FAST = {"virtualMachineInstanceSelector": {"speed": "fast"}}


def settings(*objects: builders.Json) -> VMSettings:
    asked = builders.create(VMIM, builders.vmim())
    return settings_of(builders.context(asked, builders.vmi(labels={"speed": "fast"}), *objects))


def traced(*documents: builders.Json) -> Trace:
    view = View(builders.namespace())
    policies = policy_set(*documents, catalog=CATALOG)
    return trace(request(), policies=policies, world=World(view, RBACAuthorizer(view)), now=NOW)


def test_only_the_named_policies_are_looked_at():
    loaded = policy_set(policy("a"), policy("b"), policy("c"), catalog=CATALOG)
    assert [one.name for one in only(loaded, ["c", "a"]).policies] == ["a", "c"]
    assert only(loaded, []) is loaded


def test_a_policy_that_is_not_there_is_told_with_the_nearest_name():
    with pytest.raises(UsageError, match=r"there is no policy 'gaurd' \(did you mean 'guard'\?\)"):
        only(policy_set(policy("guard"), catalog=CATALOG), ["gaurd"])


@pytest.mark.parametrize(
    ("objects", "lines"),
    [
        pytest.param((), ["There is no MigrationPolicy."], id="none"),
        pytest.param(
            (builders.migration_policy("a", selectors=FAST), builders.migration_policy("b")),
            [
                "MigrationPolicy a applies: it selects it by label speed=fast of the VM.",
                "Others do not apply:",
                "  b: has no selectors, so it selects nothing",
            ],
            id="winner",
        ),
        pytest.param(
            (builders.migration_policy("b"),),
            ["No MigrationPolicy applies to it.", "Why not:", "  b: has no selectors, so it selects nothing"],
            id="no-winner",
        ),
    ],
)
def test_the_winning_policy_is_told_and_why(objects, lines):
    text = render(Explanation(settings=settings(*objects), trace=traced(policy())))
    assert "\n" + "\n".join(lines) + "\n" in text


def test_every_setting_stands_in_the_table_with_what_set_it():
    found = settings(builders.migration_policy("a", selectors=FAST, bandwidthPerMigration="64Mi"))
    lines = render(Explanation(settings=found)).splitlines()
    assert lines[0] == "Migration settings of VM prod/db"
    assert lines[2].split() == ["FIELD", "VALUE", "SET", "BY"]
    assert ["bandwidthPerMigration", "64Mi", "per", "second", "MigrationPolicy", "a"] in [one.split() for one in lines]


def test_without_a_person_no_policy_is_judged_and_that_is_said():
    found = Explanation(settings=settings())
    assert found.allowed
    assert render(found).endswith("Nobody is named who would migrate it (--as USER), so no policy was judged.")


def test_settings_that_cannot_be_known_are_told_with_the_reason():
    blind = replace(builders.context(builders.create(VMIM, builders.vmim())), view=Store(RESOURCES))
    found = of_vm(blind, None, policy_set(policy(), catalog=CATALOG))
    assert "not known: virtualmachineinstances.kubevirt.io have not been listed yet" in render(found)
    assert as_json(found) == {
        "migrationSettings": None,
        "unknown": "virtualmachineinstances.kubevirt.io have not been listed yet",
    }


def test_the_verdict_is_that_of_the_request():
    assert not Explanation(trace=traced(refusing())).allowed
    assert Explanation(trace=traced(policy())).allowed


def test_a_refusal_for_want_of_a_right_says_that_groups_may_be_missing():
    view = View(builders.namespace(), builders.vmi())
    policies = policy_set(ASKS_FOR_THE_RIGHT, catalog=CATALOG)
    world = World(view, RBACAuthorizer(view))
    asked = migration_request(VMName("prod", "db"), builders.someone(), view)
    judged = trace(asked, policies=policies, world=world, now=NOW)
    found = of_vm(FactSources(policies, world, NOW).context(asked, view), judged, policies)
    unsure = (
        "alice was judged as a member of system:authenticated alone; name other groups with --as-group (no binding "
        "gives a group the right to migrate in namespace prod)"
    )
    assert render(found).endswith(f"\n\nNote: {unsure}.")
    assert as_json(found)["unsure"] == unsure


def test_times_are_shown():
    assert " ms" in render(Explanation(trace=traced(policy())))


def test_programs_get_all_of_it():
    told = json.loads(json.dumps(as_json(Explanation(settings=settings(), trace=traced(refusing())))))
    assert told["allowed"] is False
    assert told["migrationSettings"]["migrationPolicy"] == ""
    assert told["migrationSettings"]["fields"]["network"] == {"value": "", "setBy": "KubeVirt default"}
    assert told["seconds"] > 0
