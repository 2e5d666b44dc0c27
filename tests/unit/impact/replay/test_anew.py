"""Whatever was in force then, and whatever is tried now: a replay says what deciding anew would, or that it cannot tell.

One who replays a log remembers what it found; so records of odd and of usual requests come in any order.
"""

# ruff: noqa: E501 - an expression is one line

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import builders
from tests.support.engine import NOW, Json, binding, exemption, judging, mutating, parameters
from tests.unit.impact.replaying import policies, recorded, world
from webhook.admission.pipeline import decide
from webhook.impact.replay.judge import Judge
from webhook.impact.replay.record import ALLOWED, DENIED, OPEN, Outcome, Recorded, canonical
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.decision import Decision
from webhook.model.facts import Deadline, WatchedResource
from webhook.model.request import AdmissionRequest, Operation, Phase

UPDATE = "kubevirt.io/workloadUpdateMigration"
CONTROLLER = "system:serviceaccount:kubevirt:kubevirt-controller"
EXPRESSIONS = (
    "object.spec.?evictionStrategy.orValue('None') == 'None'",
    "object == null || oldObject == null || object.spec == oldObject.spec",
    "has(object.metadata.annotations)",
    "object.metadata.?annotations['a/b'].orValue('') == ''",
    "object.metadata.?annotations.orValue({}).exists(k, k.startsWith('a'))",
    "object.metadata.?annotations.orValue({}).all(k, v, v != '')",
    "object.metadata.?labels.orValue({}).exists(k, k == 'a')",
    "size(object.spec.?volumes.orValue([])) < 1",
    "object.spec.?volumes.orValue([]).all(one, has(one.name) && one.?x.orValue(0) == 0)",
    "object.spec.?template.?spec.?nodeSelector.orValue({}) == {}",
    "object == null || 'vmiName' in object.spec",
    "object == null || object.spec.all(k, k != 'vmiName')",
    "request.name != 'db'",
    "request == null || size(request.userInfo.groups) == 0",
    "request.userInfo.extra.exists(k, k == 'token')",
    "request.?options.?fieldManager.orValue('') == ''",
    "namespaceObject != null && namespaceObject.metadata.?labels.tier.orValue('') == 'gold'",
    "requester.origin == 'User'",
    "requester.person != '' && requester.groups == []",
    "vmi.critical || !vmi.found",
    "vmi.phase == 'Running'",
    "authorizer.group('kubevirt.io').resource('virtualmachines').namespace('prod').check('get').allowed()",
)
PATCHES = (
    ("ApplyConfiguration", "{'metadata': {'labels': {'a': 'b'}}}"),
    ("ApplyConfiguration", "{'spec': {'evictionStrategy': 'None'}}"),
    ("ApplyConfiguration", f"{{'metadata': {{'annotations': {{'{UPDATE}': ''}}}}}}"),
    ("ApplyConfiguration", "requester.origin == 'Drain' ? {'metadata': {'labels': {'drain': 'b'}}} : {}"),
    ("ApplyConfiguration", "vmi.critical ? {'metadata': {'labels': {'critical': 'b'}}} : {}"),
    ("JSONPatch", "[{'op': 'add', 'path': '/metadata/annotations', 'value': {'a/b': 'x'}}]"),
    ("JSONPatch", "[{'op': 'remove', 'path': '/metadata/annotations'}]"),
    ("JSONPatch", "[{'op': 'test', 'path': '/metadata/annotations/a~1b', 'value': 'x'}, {'op': 'add', 'path': '/spec/y', 'value': 1}]"),
    ("JSONPatch", "[{'op': 'copy', 'from': '/metadata/annotations', 'path': '/spec/copied'}]"),
)  # fmt: skip
SELECTORS: tuple[Json, ...] = (
    {"objectSelector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}},
    {"objectSelector": {"matchLabels": {"a": "b"}}},
    {"namespaceSelector": {"matchLabels": {"tier": "gold"}}},
)


@st.composite
def policy_files(draw: st.DrawFn) -> tuple[Json, ...]:
    """One to three policies, with what else may change what they find."""
    found: list[Json] = []
    for name in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)):
        rest: Json = {"failurePolicy": draw(st.sampled_from(["Fail", "Ignore"]))}
        if draw(st.booleans()):
            rest["matchConditions"] = [{"name": "c", "expression": draw(st.sampled_from(EXPRESSIONS))}]
        if draw(st.integers(min_value=0, max_value=3)):
            found.append(judging(draw(st.sampled_from(EXPRESSIONS)), name, **rest))
        else:
            patch_type, expression = draw(st.sampled_from(PATCHES))
            found.append(mutating(expression, name, patch_type=patch_type, **rest))
        more = draw(st.sampled_from(["", "", "binding", "exemption"]))
        selector = draw(st.sampled_from(SELECTORS))
        if more == "binding":
            found.append(binding(f"of-{name}", name, matchResources=selector))
        elif more == "exemption":
            found.append(exemption(f"of-{name}", policies=[name], **selector))
    return (*found, *draw(st.sampled_from([(), (), (parameters(critical={"label": "a"}),)])))


@st.composite
def requests(draw: st.DrawFn) -> list[AdmissionRequest]:
    """Requests of one kind, about objects that may lack what is usual."""
    watched = draw(st.sampled_from([VM, VMI, VMIM]))
    operation = draw(st.sampled_from([Operation.CREATE, Operation.UPDATE, Operation.DELETE]))
    return [_request(draw, watched, operation) for _ in range(draw(st.integers(min_value=2, max_value=8)))]


def _request(draw: st.DrawFn, watched: WatchedResource, operation: Operation) -> AdmissionRequest:
    spec: Json = {"vmiName": "db", "evictionStrategy": "None", "volumes": [{"name": "v", "x": 1}], "y": 1}
    metadata: Json = {"annotations": {"a/b": "x", UPDATE: ""}, "labels": {"a": "b"}}

    def some(fields: Json) -> Any:
        names = draw(st.sets(st.sampled_from([*fields, "none"])))
        return {
            **{name: fields[name] for name in fields if name in names},
            **({"null": None} if "none" in names else {}),
        }

    def thing() -> Json:
        whole = {"metadata": {"name": draw(st.sampled_from(["db", "web"])), "namespace": "prod", **some(metadata)}}
        return {**whole, **draw(st.sampled_from([{}, {"spec": None}, {"spec": {}}, {"spec": some(spec)}]))}

    user = builders.someone(draw(st.sampled_from(["alice", "bob", CONTROLLER])))
    user = replace(user, extra=draw(st.sampled_from([{}, {"token": ("secret",)}])))
    new = thing() if operation is not Operation.DELETE else None
    old = thing() if operation is not Operation.CREATE else None
    return builders.request(watched, operation, old=old, new=new, by=user)


CLUSTER = world(builders.vmi(), builders.vmi("web", labels={"a": "b"}))


@settings(max_examples=60, deadline=None)
@given(then=policy_files(), now=policy_files(), asked=requests(), data=st.data())
def test_a_replay_is_what_deciding_anew_would_be_or_open(then, now, asked, data):
    before, candidate = policies(*then), policies(*now)
    cases = [(one, phase) for one in asked for phase in Phase]
    judge = Judge(candidate)
    for one, phase in data.draw(st.permutations([*cases, *cases])):
        outcome = judge.outcome(Recorded(recorded(before, one, phase=phase, cluster=CLUSTER)))
        anew = decide(
            one, phase, policies=candidate, world=CLUSTER, now=NOW, deadline=Deadline.after(30), decision_id=""
        )
        assert_never_a_guess(outcome, anew)


def assert_never_a_guess(outcome: Outcome, anew: Decision) -> None:
    """Hold what is told, policy by policy, against the decision."""
    if outcome.verdict != OPEN:
        assert outcome.verdict == (ALLOWED if anew.allowed else DENIED)
    unknown = {name for name, _ in outcome.unknown}
    if "" in unknown:
        return
    # One that is exempted finds nothing, whether or not its conditions hold that cannot be told.
    results = {(one.policy, one.binding, one.result.value, one.exemption) for one in anew.evaluations}
    known = {one for one in results if one[0] not in unknown}
    assert {one for one in outcome.results if one[2] != "skip"} == {one for one in known if one[2] != "skip"}
    patches = {(one.policy, canonical(list(one.patch))) for one in anew.evaluations if one.patch}
    assert set(outcome.patches) == {one for one in patches if one[0] not in unknown}
