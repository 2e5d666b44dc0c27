"""What of a match constraint or a selector is lost and gained."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.impact.policydiff.change import Difference, Effect
from webhook.impact.policydiff.coverage import Atom, match_differences, requirements, selector_differences
from webhook.policy.document import MatchResources, ResourceRule


def rule(
    *resources: str, operations: tuple[str, ...] = ("CREATE",), versions: tuple[str, ...] = ("*",), **more: Any
) -> ResourceRule:
    return ResourceRule(
        groups=("kubevirt.io",), versions=versions, resources=resources or ("vms",), operations=operations, **more
    )


def match(*rules: ResourceRule, **more: Any) -> MatchResources:
    return MatchResources(rules=rules, **more)


def told(one: Difference) -> tuple[str, Effect, Any, Any]:
    return one.field, one.effect, one.before, one.after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(match(rule("vms", "vmis")), match(rule("vmis"), rule("vms")), id="two rules for one"),
        pytest.param(
            match(rule(operations=("*",))),
            match(rule(operations=("CREATE", "UPDATE", "DELETE", "CONNECT"))),
            id="all operations by name",
        ),
        pytest.param(match(rule(versions=("v1",))), match(rule(versions=("v2",))), id="versions that do not count"),
        pytest.param(match(rule("vms/*")), match(rule("vms/*", "vms/status")), id="what is covered already"),
        pytest.param(match(rule(), namespace_selector={}), match(rule()), id="an empty selector"),
    ],
)
def test_what_covers_the_same_does_not_differ(old: MatchResources, new: MatchResources) -> None:
    assert [*match_differences(old, new, ("spec",))] == []
    assert [*match_differences(new, old, ("spec",))] == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            match(rule(operations=("CREATE", "DELETE"))),
            match(rule()),
            ("resourceRules", Effect.WEAKER, ["DELETE vms.kubevirt.io"], None),
            id="an operation less",
        ),
        pytest.param(
            match(rule()),
            match(rule("*/*")),
            ("resourceRules", Effect.STRICTER, ["CREATE vms.kubevirt.io"], ["CREATE */*.kubevirt.io"]),
            id="everything",
        ),
        pytest.param(
            match(rule("vms")),
            match(rule("vmis")),
            ("resourceRules", Effect.CHANGED, ["CREATE vms.kubevirt.io"], ["CREATE vmis.kubevirt.io"]),
            id="another resource",
        ),
        pytest.param(
            match(rule()),
            match(rule(names=("db",), scope="Namespaced")),
            ("resourceRules", Effect.WEAKER, ["CREATE vms.kubevirt.io"], ["CREATE vms.kubevirt.io db (Namespaced)"]),
            id="some names only",
        ),
        pytest.param(
            match(rule(versions=("v1",)), exact=True),
            match(rule(versions=("v1", "v2")), exact=True),
            ("resourceRules", Effect.STRICTER, None, ["CREATE vms.kubevirt.io v2"]),
            id="versions that count",
        ),
        pytest.param(
            match(),
            match(rule()),
            ("resourceRules", Effect.WEAKER, ["every request"], ["CREATE vms.kubevirt.io"]),
            id="rules where there were none",
        ),
        pytest.param(
            match(rule()),
            match(rule(), excluded=(rule("vms/status"),)),
            ("excludeResourceRules", Effect.WEAKER, None, ["CREATE vms/status.kubevirt.io"]),
            id="an exclusion",
        ),
        pytest.param(
            match(rule()),
            match(rule(), exact=True),
            ("matchPolicy", Effect.WEAKER, "Equivalent", "Exact"),
            id="exactly this version",
        ),
        pytest.param(
            match(rule(), exact=True, excluded=(rule("vms/status", versions=("v1",)),)),
            match(rule(), excluded=(rule("vms/status", versions=("v1",)),)),
            ("matchPolicy", Effect.CHANGED, "Exact", "Equivalent"),
            id="an exclusion of one version becomes one of all",
        ),
        pytest.param(
            match(rule(), excluded=(rule("vms/status"),)),
            match(rule(), exact=True, excluded=(rule("vms/status"),)),
            ("matchPolicy", Effect.WEAKER, "Equivalent", "Exact"),
            id="an exclusion of all versions",
        ),
        pytest.param(
            match(rule(), object_selector={"matchLabels": {"a": "b"}}),
            match(rule(), object_selector={"matchLabels": {"a": "b", "c": "d"}}),
            ("objectSelector", Effect.WEAKER, ["a=b"], ["a=b", "c=d"]),
            id="a narrower selector",
        ),
    ],
)
def test_what_covers_less_is_weaker_and_the_other_way_round(
    old: MatchResources, new: MatchResources, expected: tuple[str, Effect, Any, Any]
) -> None:
    field, effect, before, after = expected
    assert [told(one) for one in match_differences(old, new, ("spec",))] == [(field, effect, before, after)]
    mirrored = [told(one) for one in match_differences(new, old, ("spec",))]
    assert mirrored == [(field, effect.inverse, after, before)]


@pytest.mark.parametrize(
    ("pattern", "other", "covers"),
    [
        ("*", "vms", True),
        ("*", "vms/status", False),
        ("*/*", "vms/status", True),
        ("*/*", "vms", True),
        ("vms/*", "vms/status", True),
        ("vms/*", "vms", False),
        ("*/status", "vms/status", True),
        ("vms", "vmis", False),
    ],
)
def test_resources_cover_as_in_kubernetes(pattern: str, other: str, covers: bool) -> None:
    one, asked = (Atom("CREATE", resource, "g", "*", "*", "*") for resource in (pattern, other))
    assert one.covers(asked) is covers


def test_requirements_are_the_same_however_they_are_written() -> None:
    labels = {"matchLabels": {"a": "b"}}
    expressions = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
    assert requirements(labels) == requirements(expressions)
    assert requirements(None) == requirements({}) == frozenset()


def test_every_operator_has_its_words() -> None:
    expressions = [
        {"key": "a", "operator": "In", "values": ["c", "b"]},
        {"key": "a", "operator": "NotIn", "values": ["b"]},
        {"key": "a", "operator": "NotIn", "values": ["c", "b"]},
        {"key": "a", "operator": "Exists"},
        {"key": "a", "operator": "DoesNotExist"},
        {"key": "a", "operator": "Odd"},
    ]
    assert requirements({"matchExpressions": expressions}) == {
        "a in (b,c)", "a!=b", "a notin (b,c)", "a", "!a", "a Odd",
    }  # fmt: skip


def test_an_exemption_with_a_wider_selector_guards_less() -> None:
    narrow, wide = {"matchLabels": {"a": "b", "c": "d"}}, {"matchLabels": {"a": "b"}}
    (found,) = selector_differences("objectSelector", narrow, wide, ("spec",), wider=Effect.WEAKER)
    assert found.effect is Effect.WEAKER
