"""What is remembered of one record counts for another only where it would come out the same: in whatever order."""

# ruff: noqa: E501 - a case is one line

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support import builders
from tests.support.engine import Json, binding, judging, policy, refusing
from tests.unit.impact.replaying import given, migration, policies, recorded
from webhook.impact.replay.judge import Judge
from webhook.kubevirt.resources import NAMESPACE, VMI
from webhook.model.request import Operation

VIRTUAL = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": "db"}}


def of_object(**fields: Any) -> Json:
    """Record of the creation of an object, with these fields besides its name."""
    asked = builders.request(VMI, Operation.CREATE, new={**VIRTUAL, **fields})
    return recorded(policies(policy()), asked)


def of_namespace(**labels: str) -> Json:
    asked = builders.request(NAMESPACE, Operation.CREATE, new=builders.namespace("prod", labels=labels))
    return recorded(policies(policy()), asked)


def with_facts(**changed: Any) -> Json:
    """Record of a migration with these of its parts instead."""
    return {**recorded(policies(policy()), migration()), **changed}


def without_old_object(*, labels: bool) -> Json:
    """Record of an update of which but one object is there, or both."""
    asked = replace(migration(operation=Operation.UPDATE), old_object=builders.vmim() if labels else None)
    return recorded(policies(policy()), replace(asked, object=None))


def dropping(record: Json, *path: str, names: list[str]) -> Json:
    """A record of which this mapping of the object has lost fields of these names."""
    node = record["input"]["request"]["object"]
    for step in path:
        node = node[step]
    node["…"] = names
    return record


def critical_later() -> Json:
    """A fact was read only of the object as a mutation left it."""
    facts = {"vmi.critical": False}
    stages = [{"facts": {}, "unavailable": {}}, {"facts": facts, "unavailable": {}}]
    return with_facts(facts=facts, stages=stages)


STRATEGY = "object.spec.?evictionStrategy.orValue('None') == 'None'"
EITHER = "vmi.critical && !vmi.found"
UNLABELLED = {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}


@pytest.mark.parametrize(
    ("documents", "first", "second"),
    [
        pytest.param([judging(STRATEGY)], of_object(spec={}), of_object(), id="an-absent-parent-and-an-absent-field"),
        pytest.param([judging("object.spec.?x.?y == optional.none()")], of_object(spec=None), of_object(spec={"x": None}), id="a-parent-and-a-field-that-are-null"),
        pytest.param([judging("object.spec.?x.orValue(null) == null")], of_object(spec={"x": None}), of_object(spec=None), id="a-null-field-and-a-null-parent"),
        pytest.param([judging(STRATEGY)], dropping(of_object(spec={}), names=["evictionStrategy"]), dropping(of_object(spec={}), "spec", names=["evictionStrategy"]), id="dropped-above-and-below"),
        pytest.param([judging(EITHER)], with_facts(facts={}, unavailable={"vmi.critical": "x"}), with_facts(facts={}, unavailable={"vmi.found": "x"}), id="another-fact-is-unavailable"),
        pytest.param([judging("!vmi.critical")], with_facts(facts={"vmi.critical": False}), critical_later(), id="a-fact-of-the-changed-object"),
        pytest.param([refusing(), binding(matchResources={"objectSelector": UNLABELLED})], without_old_object(labels=True), without_old_object(labels=False), id="no-labels-and-no-object"),
        pytest.param([refusing(), binding(matchResources={"namespaceSelector": UNLABELLED})], of_namespace(a="b"), of_namespace(), id="a-namespace-by-its-own-labels"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("turned", [False, True], ids=["in-order", "in-reverse"])
def test_the_order_of_records_does_not_matter(documents: list[Json], first: Json, second: Json, turned: bool):
    candidate = policies(*documents)
    anew: list[Any] = [Judge(candidate).outcome(given(one)) for one in (first, second)]
    assert anew[0] != anew[1], "these two tell nothing apart"
    remembering = Judge(candidate)
    order: Mapping[int, Json] = dict(enumerate((first, second)))
    for one in sorted(order, reverse=turned):
        assert remembering.outcome(given(order[one])) == anew[one]
