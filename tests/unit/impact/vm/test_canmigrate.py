"""May this user migrate this VM now?"""

from __future__ import annotations

import pytest

from tests.support import builders
from tests.support.engine import judging, policy
from tests.unit.impact.asking import ALICE, ASKS_FOR_THE_RIGHT, MAY, VM, answer
from webhook.errors import InputError

SUBRESOURCE = {"apiGroups": ["subresources.kubevirt.io"], "resources": ["virtualmachines/migrate"], "verbs": ["update"]}
ONLY_VIRTCTL = (
    builders.role("left-over", "prod", [SUBRESOURCE]),
    builders.role_binding("old", "prod", ALICE, role="left-over", kind="Role"),
)
ONLY_VMIMS = (
    builders.cluster_role("vmims", [{**builders.MIGRATE_RULES[0], **builders.MIGRATE_RULES[-1]}]),
    builders.role_binding("vmims", "prod", ALICE, role="vmims"),
)


def test_yes_comes_with_the_commands_that_do_it():
    found = answer(*MAY, *VM)
    assert (found.allowed, found.sentence) == (True, "alice may migrate VM prod/db now")
    assert found.reasons == ()
    assert found.commands[0] == "virtctl migrate db -n prod"
    assert found.commands[1].endswith("| oc create -f -")
    assert found.console == ""


def test_virtctl_is_not_proposed_for_a_vmi_without_a_vm():
    (command,) = answer(*MAY, builders.vmi()).commands
    assert "virtctl" not in command


@pytest.mark.parametrize(
    ("objects", "sentence"),
    [
        pytest.param(VM, "alice cannot migrate VM prod/db now: one thing is in the way", id="one"),
        pytest.param(
            (*VM, builders.vmim("m1")), "alice cannot migrate VM prod/db now: 2 things are in the way", id="two"
        ),
    ],
)
def test_no_says_how_much_is_in_the_way_and_proposes_nothing(objects, sentence):
    found = answer(*objects)
    assert (found.allowed, found.sentence, found.commands) == (False, sentence, ())
    assert found.checks
    assert found.settings is not None


def test_a_vm_that_is_not_there_is_no_answer():
    with pytest.raises(InputError, match="there is no VM prod/db"):
        answer(builders.vm("web"))


def test_a_right_that_works_only_through_virtctl_is_told_of_with_the_binding_that_gives_it():
    found = answer(*VM, *ONLY_VIRTCTL, builders.kubevirt())
    assert found.allowed is False
    assert found.console == (
        "virtctl migrate and the console would let alice through all the same, as virt-api asks in its own name: "
        "'update virtualmachines.subresources.kubevirt.io/db --subresource=migrate -n prod' is granted by RoleBinding "
        "prod/old to Role prod/left-over (user alice); take that right away if it is not meant"
    )


@pytest.mark.parametrize(
    ("objects", "documents"),
    [
        pytest.param((*VM, builders.kubevirt()), (ASKS_FOR_THE_RIGHT,), id="no-right-to-the-subresource"),
        pytest.param((*VM, *ONLY_VIRTCTL), (ASKS_FOR_THE_RIGHT,), id="where-virt-api-lives-is-not-known"),
        pytest.param(
            (*VM, *ONLY_VIRTCTL, builders.kubevirt()), (judging("vmi.phase == 'x'"),), id="virt-api-is-refused-too"
        ),
        pytest.param(
            (builders.vmi(), builders.vm("other"), *ONLY_VIRTCTL, builders.kubevirt()),
            (ASKS_FOR_THE_RIGHT,),
            id="there-is-no-vm",
        ),
        pytest.param(
            (*VM, *ONLY_VIRTCTL, builders.kubevirt(), builders.vmim("m1")),
            (ASKS_FOR_THE_RIGHT,),
            id="kubevirt-refuses-virt-api-too",
        ),
    ],
)
def test_virtctl_is_not_told_of_where_it_would_be_refused_as_well(objects, documents):
    assert answer(*objects, documents=documents).console == ""


def test_that_virtctl_would_not_work_is_told_too():
    found = answer(*VM, *ONLY_VMIMS, documents=(policy(),))
    assert found.allowed
    assert found.console.startswith("virtctl migrate and the console do not work for alice: 'update virtualmachines")
    assert [command for command in found.commands if "virtctl" in command] == []


def test_a_system_component_is_told_nothing_of_virtctl():
    controller = builders.someone("system:serviceaccount:kubevirt:kubevirt-controller")
    assert answer(*VM, builders.kubevirt(), user=controller).console == ""
