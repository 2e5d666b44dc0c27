"""A trace as a person reads it."""

from __future__ import annotations

import pytest

from tests.support import builders
from tests.support.engine import NOW, Json, exemption, judging, mutating, policy, policy_set, refusing, request
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.model.request import AdmissionRequest, Phase, UserInfo
from webhook.offline.tracing.text import VALUE_WIDTH, render, shown
from webhook.offline.tracing.trace import trace


def text_of(
    *documents: Json, asked: AdmissionRequest | None = None, objects: tuple[Json, ...] = (), **form: bool
) -> str:
    view = View(builders.namespace(), *objects)
    found = trace(
        asked or request(),
        policies=policy_set(*documents, catalog=CATALOG),
        world=World(view, RBACAuthorizer(view)),
        now=NOW,
    )
    return render(found, **form)


def test_the_verdict_comes_first():
    lines = text_of(refusing("strict"), policy("easy")).splitlines()
    assert lines[:2] == [
        "CREATE of VirtualMachineInstanceMigration prod/move by alice (User)",
        "DENIED by strict",
    ]
    assert text_of(policy()).splitlines()[1] == "ALLOWED"


def test_what_refuses_stands_above_what_does_not():
    text = text_of(policy("a"), refusing("z"), judging("false", "m", validationActions=["Warn"]))
    assert text.index("FAIL  z: refuses") < text.index("FAIL  m: warns") < text.index("ok    a: finds nothing wrong")


def test_a_refusal_shows_expression_message_and_next_step():
    validation = {"expression": "vmi.name != 'db'", "message": "not db", "remediation": "take web", "field": "spec"}
    text = text_of(policy(validations=[validation]))
    assert "      vmi.name != 'db'\n          not db\n          field: spec\n          Next step: take web\n" in text
    assert 'fact vmi.name = "db"' in text


@pytest.mark.parametrize(
    ("document", "line"),
    [
        pytest.param(mutating("{'spec': {'x': 1}}"), "ok    guard: changes the object (1 operation)", id="changes"),
        pytest.param(
            judging("object.spec.nope", failurePolicy="Ignore"),
            "ERROR guard: could not be judged, and lets the request through",
            id="error",
        ),
        pytest.param(
            judging("false", validationActions=["Audit"]), "FAIL  guard: is only recorded (Audit)", id="audit"
        ),
    ],
)
def test_the_verdict_of_a_policy_is_in_plain_words(document, line):
    assert line in text_of(document).splitlines()


def test_a_patch_is_shown_operation_by_operation():
    assert "          add /spec/x 1\n          warning: was defaulted" in text_of(mutating("{'spec': {'x': 1}}"))


def test_an_exempted_policy_names_the_exemption():
    assert "skip  guard: exemption 'move-week' lets this request through" in text_of(refusing(), exemption())


def test_a_policy_that_is_left_out_shows_the_condition_and_what_that_read():
    text = text_of(refusing(matchConditions=[{"name": "web", "expression": "vmi.name == 'web'"}]))
    assert (
        "Not judged:\n"
        "      guard: match condition 'web' is not met\n"
        "          vmi.name == 'web'\n"
        '          fact vmi.name = "db"\n'
    ) in text


PODS = {"resourceRules": [{"apiGroups": [""], "apiVersions": ["*"], "resources": ["pods"], "operations": ["*"]}]}


def test_policies_for_other_requests_are_counted_and_named_only_on_demand():
    documents = [policy("here"), policy("pods-a", matchConstraints=PODS), policy("pods-b", matchConstraints=PODS)]
    text = text_of(*documents)
    assert "2 more: no resource rule covers CREATE of virtualmachineinstancemigrations.kubevirt.io" in text
    assert "pods-a" not in text
    assert "pods-a: no resource rule covers" in text_of(*documents, verbose=True)


def test_facts_that_were_read_from_the_same_stand_together():
    text = text_of(judging("vmi.found && vmi.phase == 'Running'"), objects=(builders.vmi(),))
    assert "      vmi.found, vmi.phase\n          VirtualMachineInstance prod/db" in text


def test_without_times_the_same_request_gives_the_same_text():
    view = View(builders.namespace())
    policies = policy_set(refusing(), mutating("{'spec': {'x': 1}}", "sets"), catalog=CATALOG)
    world = World(view, RBACAuthorizer(view))
    once, again = (render(trace(request(), policies=policies, world=world, now=NOW)) for _ in range(2))
    assert once == again
    assert " ms" not in once
    assert " ms" in text_of(refusing(), times=True)


def test_nothing_in_an_object_can_move_the_cursor():
    evil = UserInfo(username="al\x1b[2Jice\nDENIED by nobody")
    hostile = request(user=evil, object={"apiVersion": "a/b", "kind": "K", "metadata": {"name": "x\x1b]0;t\x07"}})
    validation = {"expression": "object.metadata.name == ''", "messageExpression": "object.metadata.name"}
    text = text_of(policy(validations=[validation]), asked=hostile)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\nDENIED by nobody" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param([{"a": 1}] * 5, '[{"a": 1}, {"a": 1}, {"a": 1}, …] (5 in all)', id="many-objects"),
        pytest.param(["a", "b", "c", "d"], '["a", "b", "c", "d"]', id="texts"),
        pytest.param("移行", '"移行"', id="any-script"),
        pytest.param("x" * 500, f'"{"x" * (VALUE_WIDTH - 1)}… (502 characters)', id="long"),
    ],
)
def test_values_are_bounded(value, text):
    assert shown(value) == text


def test_whole_values_are_shown_on_demand():
    assert shown([{"a": 1}] * 5, whole=True).count("a") == 5
    assert "x" * 400 in text_of(judging(f"vmi.name == '{'x' * 400}'"), verbose=True)


def test_both_phases_are_shown():
    text = text_of(mutating("{'spec': {'x': 1}}", "sets"), refusing())
    assert [line for line in text.splitlines() if line.startswith("==")] == [
        "== mutate: allowed",
        "== validate: denied",
    ]
    assert [str(phase) for phase in Phase] == ["mutate", "validate"]
