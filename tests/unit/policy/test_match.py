"""Which requests a policy covers, by the rules of Kubernetes' webhook and policy matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.engine import RESOURCE, labelled, migration, request
from webhook.errors import FactUnavailable
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation
from webhook.policy.document import MatchResources, ResourceRule
from webhook.policy.match import Subject, covers, why_not

RULE = ResourceRule(
    groups=("kubevirt.io",), versions=("v1",), resources=("virtualmachineinstancemigrations",), operations=("CREATE",)
)
NAMESPACE = GroupVersionResource("", "v1", "namespaces")
V1ALPHA3 = replace(RESOURCE, version="v1alpha3")


def _subject(asked: AdmissionRequest, labels: Mapping[str, str] | None = None) -> Subject:
    return Subject(asked, "User", lambda: {"metadata": {"labels": dict(labels or {})}})


def _namespace(name: str, labels: Mapping[str, str], **fields: Any) -> AdmissionRequest:
    """A request about a Namespace: the API server puts the Namespace's own name into ``namespace``."""
    made = {"metadata": {"name": name, "labels": dict(labels)}}
    kind = GroupVersionKind("", "v1", "Namespace")
    return request(kind=kind, resource=NAMESPACE, name=name, namespace=name, **{"object": made, **fields})


# Resource rules


@pytest.mark.parametrize(
    ("change", "covered"),
    [
        pytest.param({}, True, id="as written"),
        pytest.param({"groups": ("*",)}, True, id="any group"),
        pytest.param({"groups": ("other", "kubevirt.io")}, True, id="one of several groups"),
        pytest.param({"groups": ("",)}, False, id="the core group is a group"),
        pytest.param({"groups": ()}, False, id="no group"),
        pytest.param({"resources": ("*",)}, True, id="any resource"),
        pytest.param({"resources": ("*/*",)}, True, id="anything"),
        pytest.param({"resources": ("virtualmachineinstancemigrations/*",)}, False, id="only its subresources"),
        pytest.param({"resources": ("*/status",)}, False, id="only status"),
        pytest.param({"resources": ("virtualmachines",)}, False, id="another resource"),
        pytest.param({"resources": ("virtualmachines", "virtualmachineinstancemigrations")}, True, id="one of several"),
        pytest.param({"operations": ("*",)}, True, id="any operation"),
        pytest.param({"operations": ("UPDATE", "DELETE")}, False, id="other operations"),
        pytest.param({"operations": ("UPDATE", "CREATE")}, True, id="one of several operations"),
        pytest.param({"names": ("move",)}, True, id="its name"),
        pytest.param({"names": ("other",)}, False, id="another name"),
        pytest.param({"scope": "Namespaced"}, True, id="namespaced"),
        pytest.param({"scope": "Cluster"}, False, id="cluster-scoped"),
        pytest.param({"versions": ("v1alpha3",)}, True, id="another version is equivalent"),
    ],
)
def test_a_rule_covers_the_creation_of_a_migration(change: dict[str, Any], covered: bool) -> None:
    assert covers(replace(RULE, **change), request(), exact=False) is covered


@pytest.mark.parametrize(
    ("pattern", "plain", "status", "migrate"),
    [
        ("*", True, False, False),
        ("*/*", True, True, True),
        ("*/status", False, True, False),
        ("virtualmachineinstancemigrations", True, False, False),
        ("virtualmachineinstancemigrations/*", False, True, True),
        ("virtualmachineinstancemigrations/status", False, True, False),
        ("virtualmachines/*", False, False, False),
    ],
)
def test_a_subresource_is_covered_only_where_it_is_asked_for(
    pattern: str, plain: bool, status: bool, migrate: bool
) -> None:
    rule = replace(RULE, resources=(pattern,))

    assert covers(rule, request(), exact=False) is plain
    assert covers(rule, request(subresource="status"), exact=False) is status
    assert covers(rule, request(subresource="migrate"), exact=False) is migrate


@pytest.mark.parametrize(
    ("versions", "asked", "exact", "covered"),
    [
        pytest.param(("v1",), V1ALPHA3, False, True, id="equivalent: the old version too"),
        pytest.param(("v1",), V1ALPHA3, True, False, id="exact: not the old version"),
        pytest.param(("v1alpha3",), V1ALPHA3, True, True, id="exact: the old version"),
        pytest.param(("*",), V1ALPHA3, True, True, id="exact: any version"),
        pytest.param(("v1",), None, True, True, id="exact: not converted"),
    ],
)
def test_exact_means_the_version_that_the_client_used(
    versions: tuple[str, ...], asked: GroupVersionResource | None, exact: bool, covered: bool
) -> None:
    rule = replace(RULE, versions=versions)

    assert covers(rule, request(request_resource=asked), exact=exact) is covered


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        pytest.param({}, "Namespaced", id="in a namespace"),
        pytest.param({"namespace": "", "resource": GroupVersionResource("", "v1", "nodes")}, "Cluster", id="node"),
        pytest.param({"namespace": "prod", "resource": NAMESPACE}, "Cluster", id="a Namespace is not in itself"),
    ],
)
def test_scope_tells_objects_in_namespaces_from_others(fields: dict[str, Any], scope: str) -> None:
    asked = request(**fields)
    rule = ResourceRule(groups=("*",), versions=("*",), resources=("*",), operations=("*",))

    assert covers(rule, asked, exact=False)
    for one in ("Namespaced", "Cluster"):
        assert covers(replace(rule, scope=one), asked, exact=False) is (one == scope)


def test_resource_names_cover_objects_that_are_deleted_with_their_collection() -> None:
    asked = request(name="", operation=Operation.DELETE, object=None, old_object=migration())
    rule = replace(RULE, operations=("DELETE",), names=("move",))

    assert covers(rule, asked, exact=False)


patterns = st.sampled_from(["*", "*/*", "a", "a/*", "a/b", "*/b", "c"])


@given(st.lists(patterns, min_size=1), st.sampled_from(["a", "c"]), st.sampled_from(["", "b", "d"]))
def test_a_rule_with_more_patterns_covers_whatever_one_of_them_covers(
    given_patterns: list[str], resource: str, subresource: str
) -> None:
    asked = request(resource=GroupVersionResource("kubevirt.io", "v1", resource), subresource=subresource)
    together = covers(replace(RULE, resources=tuple(given_patterns)), asked, exact=False)
    apart = [covers(replace(RULE, resources=(pattern,)), asked, exact=False) for pattern in given_patterns]

    assert together is any(apart)
    assert covers(replace(RULE, resources=("*/*",)), asked, exact=False)


# Why not


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        pytest.param(MatchResources(rules=(RULE,)), "", id="covered"),
        pytest.param(MatchResources(), "", id="no rules, as in a binding"),
        pytest.param(
            MatchResources(rules=(replace(RULE, operations=("DELETE",)),)),
            "no resource rule covers CREATE of virtualmachineinstancemigrations.kubevirt.io",
            id="no rule",
        ),
        pytest.param(
            MatchResources(rules=(RULE,), excluded=(replace(RULE, names=("move",)),)),
            "an excludeResourceRule covers it",
            id="excluded",
        ),
        pytest.param(
            MatchResources(rules=(RULE,), excluded=(replace(RULE, names=("other",)),)), "", id="another is excluded"
        ),
        pytest.param(
            MatchResources(rules=(RULE,), namespace_selector={"matchLabels": {"tier": "gold"}}),
            "namespaceSelector does not select its namespace",
            id="namespace",
        ),
        pytest.param(
            MatchResources(rules=(RULE,), object_selector={"matchLabels": {"tier": "gold"}}),
            "objectSelector does not select it",
            id="object",
        ),
        pytest.param(
            MatchResources(rules=(RULE,), namespace_selector={}, object_selector={}),
            "",
            id="empty selectors select all",
        ),
    ],
)
def test_why_a_policy_does_not_apply_is_said(match: MatchResources, reason: str) -> None:
    assert why_not(match, _subject(request(), {"tier": "silver"})) == reason


def test_a_subresource_is_named() -> None:
    reason = why_not(MatchResources(rules=(RULE,)), _subject(request(subresource="status")))

    assert reason == "no resource rule covers CREATE of virtualmachineinstancemigrations.kubevirt.io/status"


# Selectors

GOLD = {"matchLabels": {"tier": "gold"}}
NOT_GOLD = {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}


@pytest.mark.parametrize(
    ("new", "old", "applies"),
    [
        pytest.param(labelled(tier="gold"), None, True, id="created with it"),
        pytest.param(labelled(tier="silver"), None, False, id="created without it"),
        pytest.param(None, labelled(tier="gold"), True, id="deleted with it"),
        pytest.param(None, labelled(tier="silver"), False, id="deleted without it"),
        pytest.param(labelled(tier="gold"), labelled(), True, id="label put on"),
        pytest.param(labelled(), labelled(tier="gold"), True, id="label taken off"),
        pytest.param(labelled(), labelled(), False, id="neither"),
        pytest.param(labelled(tier=7), None, False, id="label that is no text"),
        pytest.param({"metadata": {"labels": "gold"}}, None, False, id="labels that are none"),
        pytest.param({"metadata": None}, None, False, id="no metadata"),
        pytest.param(None, None, False, id="no object"),
    ],
)
def test_an_object_selector_looks_at_the_old_and_the_new_object(new: Any, old: Any, applies: bool) -> None:
    asked = request(object=new, old_object=old)

    assert (why_not(MatchResources(object_selector=GOLD), _subject(asked)) == "") is applies


@pytest.mark.parametrize(
    ("asked", "selector", "applies"),
    [
        pytest.param(request(), GOLD, True, id="labels of its namespace"),
        pytest.param(request(), NOT_GOLD, False, id="labels of its namespace exclude it"),
        pytest.param(
            request(namespace="", resource=GroupVersionResource("", "v1", "nodes")), NOT_GOLD, True, id="cluster-scoped"
        ),
        pytest.param(_namespace("prod", {"tier": "silver"}), GOLD, False, id="a new Namespace by its own labels"),
        pytest.param(
            _namespace("prod", {"tier": "silver"}, old_object={"metadata": {"labels": {"tier": "gold"}}}),
            NOT_GOLD,
            True,
            id="a changed Namespace by its new labels",
        ),
        pytest.param(
            _namespace("prod", {}, object=None, old_object={"metadata": {"labels": {"tier": "silver"}}}),
            GOLD,
            False,
            id="a deleted Namespace by its old labels",
        ),
        pytest.param(
            request(resource=GroupVersionResource("project.openshift.io", "v1", "namespaces")),
            GOLD,
            True,
            id="namespaces of another group are ordinary",
        ),
    ],
)
def test_a_namespace_selector_looks_at_the_namespace_of_the_object(
    asked: AdmissionRequest, selector: dict[str, Any], applies: bool
) -> None:
    """In all of these the Namespace in the cluster has the label tier=gold."""
    assert (why_not(MatchResources(namespace_selector=selector), _subject(asked, {"tier": "gold"})) == "") is applies


def test_the_namespace_is_only_looked_up_where_a_selector_asks() -> None:
    def refuse() -> Mapping[str, Any]:
        raise FactUnavailable("the cache is stale")

    subject = Subject(request(), "User", refuse)

    assert why_not(MatchResources(rules=(RULE,), namespace_selector={}), subject) == ""
    assert why_not(MatchResources(rules=(), excluded=(RULE,), namespace_selector=GOLD), subject) != ""
    with pytest.raises(FactUnavailable):
        why_not(MatchResources(rules=(RULE,), namespace_selector=GOLD), subject)
