"""What kinds of requests a policy matches."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.authoring.lint.shapes import Shape, excludes, in_scope, known_values, matched, overlaps, presence
from webhook.kubevirt.catalog import SCOPES
from webhook.model.request import Operation
from webhook.policy.document import MatchResources, ResourceRule

CREATE, DELETE = Operation.CREATE, Operation.DELETE


def rule(resource: str, *operations: str, group: str = "kubevirt.io", **more: Any) -> ResourceRule:
    return ResourceRule(
        groups=(group,), versions=("*",), resources=(resource,), operations=operations or ("CREATE",), **more
    )


def shape(
    resource: str | None, operation: Operation = CREATE, *, group: str | None = "kubevirt.io", **more: Any
) -> Shape:
    name, _, part = (resource or "").partition("/")
    return Shape(group=group, resource=name or None, subresource=part, operation=operation, **more)


def test_a_rule_is_taken_apart() -> None:
    shapes = matched(MatchResources(rules=(rule("virtualmachines", "CREATE", "DELETE"), rule("*", group="*"))))
    assert [(one.group, one.resource, one.subresource, one.operation) for one in shapes] == [
        ("kubevirt.io", "virtualmachines", "", CREATE),
        ("kubevirt.io", "virtualmachines", "", DELETE),
        (None, None, "", CREATE),
    ]


def test_a_shape_is_called_as_people_would() -> None:
    assert str(shape("pods/eviction")) == "CREATE of pods/eviction"
    assert str(Shape(group=None, resource=None, subresource=None, operation=DELETE)) == "DELETE of */*"


@pytest.mark.parametrize(
    ("pattern", "resource", "overlapping", "excluding"),
    [
        ("virtualmachines", "virtualmachines", True, True),
        ("virtualmachines", "virtualmachines/status", False, False),
        ("virtualmachines/*", "virtualmachines/status", True, True),
        ("*", "virtualmachines", True, True),
        ("*", "virtualmachines/status", False, False),
        ("*/*", "virtualmachines/status", True, True),
        ("virtualmachines", None, True, False),
        ("pods", "virtualmachines", False, False),
    ],
)
def test_a_rule_covers_a_shape(pattern: str, resource: str | None, overlapping: bool, excluding: bool) -> None:
    assert overlaps(rule(pattern), shape(resource)) is overlapping
    assert excludes([rule(pattern)], shape(resource)) is excluding
    assert not overlaps(rule(pattern), shape(resource, DELETE))


def test_what_a_shape_says() -> None:
    found = shape("namespaces/status", group="")
    assert known_values(found)["request.kind.kind"] == "Namespace"
    assert known_values(found)["request.subResource"] == "status"
    assert "request.kind.kind" not in known_values(shape("pods/eviction", group=""))
    assert "request.resource.resource" not in known_values(shape(None))


def test_which_objects_there_are() -> None:
    assert presence(shape("virtualmachines", CREATE)) == {"object": True, "oldObject": False}
    assert presence(shape("virtualmachines", DELETE, cluster_scoped=False)) == {
        "object": False,
        "oldObject": True,
        "namespaceObject": True,
    }


@pytest.mark.parametrize(
    ("fact", "found", "there"),
    [
        ("vmi.critical", shape("pods/eviction", group=""), True),
        ("vmi.critical", shape("secrets", group=""), False),
        ("vmi.critical", shape(None, group=None), True),
        ("config.after.network", shape("kubevirts"), True),
        ("config.after.network", shape("kubevirts/status"), False),
        ("vmim.final", shape("virtualmachineinstancemigrations", DELETE), True),
        ("vmim.final", shape("virtualmachineinstancemigrations"), False),
        ("time.now", shape("secrets", group=""), True),
    ],
)
def test_a_fact_says_something_of_a_shape(fact: str, found: Shape, there: bool) -> None:
    assert in_scope(SCOPES[fact], found) is there
