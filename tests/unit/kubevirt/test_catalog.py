"""Every fact, whatever the objects: the declared type or FactUnavailable, never anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.builders import (
    CRITICAL,
    NOW,
    PARAMETERS,
    cluster_role,
    context,
    hyperconverged,
    kubevirt,
    launcher,
    migration_policy,
    namespace,
    network_attachment,
    node,
    pvc,
    pvc_volume,
    quota,
    request,
    role_binding,
    user,
    vm,
    vmi,
    vmim,
)
from webhook import kubevirt as package
from webhook.admission.pipeline import World
from webhook.authoring.lint.shapes import Shape, in_scope
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import EVERYWHERE, FACTS, SCOPES
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import CelType, Deadline, FactContext
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.offline.testing.suite import suites
from webhook.offline.testing.world import StatedAuthorizer, store_of

CATALOG = "webhook.kubevirt.catalog"
ROOT = Path(__file__).parents[3]


def is_text(found: Any) -> bool:
    return isinstance(found, str)


TYPES: dict[CelType, Callable[[Any], bool]] = {
    "bool": lambda found: isinstance(found, bool),
    "int": lambda found: type(found) is int and abs(found) < 2**63,
    "string": is_text,
    "list(string)": lambda found: type(found) is list and all(map(is_text, found)),
    "list(map)": lambda found: (
        type(found) is list and all(type(each) is dict and all(map(is_text, each)) for each in found)
    ),
    "map(string)": lambda found: type(found) is dict and all(map(is_text, [*found, *found.values()])),
    "map(dyn)": lambda found: type(found) is dict and all(map(is_text, found)),
}


def check(asked: AdmissionRequest, *objects: dict[str, Any], parameters: Any = None) -> None:
    found = context(asked, *objects, parameters=parameters)
    for name, fact in FACTS.items():
        try:
            value = fact.resolve(found)
        except FactUnavailable:
            continue
        assert TYPES[fact.cel_type](value), f"{name} is {value!r}, not {fact.cel_type}"


NAMES = st.sampled_from(
    [
        *(
            "metadata",
            "name",
            "namespace",
            "labels",
            "annotations",
            "spec",
            "status",
            "selectors",
            "volumes",
            "template",
        ),
        *(
            "vmiName",
            "configuration",
            "migrations",
            "liveMigrationConfig",
            "virtualization",
            "allowPostCopy",
            "network",
        ),
        *("bandwidthPerMigration", "experimental", "persistentVolumeClaim", "claimName", "volumeStatus", "conditions"),
        *("virtualMachineInstanceSelector", "namespaceSelector", "apiVersion", "kind", "a", "migguard.io/critical"),
        *("kubevirt.kubevirt.io/jsonpatch", "migratedVolumes", "domain", "memory", "guest", "phase", "hostDisk"),
        *("devices", "disks", "interfaces", "networks", "gpus", "hostDevices", "features", "cpu", "launchSecurity"),
        *("evictionStrategy", "tolerations", "nodeSelector", "migrationState", "migrationConfiguration", "mode"),
        *(
            "rules",
            "verbs",
            "resources",
            "apiGroups",
            "subjects",
            "roleRef",
            "aggregationRule",
            "updateVolumesStrategy",
        ),
        *("source", "target", "labelFilters", "customizeComponents", "patches", "finalizers", "creationTimestamp"),
        *("allocatable", "taints", "containers", "requests", "hard", "used", "nodeName", "overhead"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["true", "prod", "db", "[]"])
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)
OBJECTS = st.none() | st.dictionaries(NAMES, JSON, max_size=5) | JSON
CLUSTER = (
    vmi(labels=CRITICAL, volumes=[pvc_volume()]),
    vm(template_labels=CRITICAL),
    vmim(),
    pvc(),
    namespace(labels=CRITICAL),
    kubevirt({"allowPostCopy": True}),
    hyperconverged({"allowPostCopy": True}),
    migration_policy(selectors={}),
    cluster_role(),
    role_binding("b", "prod", user("alice")),
    node("node02"),
    launcher(),
    quota({"requests.memory": "8Gi"}, {"requests.memory": "1Gi"}),
    network_attachment(),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(RESOURCES), st.sampled_from(Operation), OBJECTS, OBJECTS, st.text(max_size=8))
def test_no_request_breaks_a_fact(watched: Any, operation: Operation, old: Any, new: Any, username: str) -> None:
    check(request(watched, operation, old=old, new=new, by=UserInfo(username=username)), *CLUSTER)


GOOD = {watched.kind: watched for watched in RESOURCES}


@st.composite
def mangled(draw: st.DrawFn) -> dict[str, Any]:
    """A good object of which some part is replaced by arbitrary JSON."""
    found = draw(st.sampled_from(CLUSTER))

    def mangle(node: Any) -> Any:
        if isinstance(node, dict) and node:
            key = draw(st.sampled_from(sorted(node)))
            return {**node, key: mangle(node[key])}
        return draw(JSON)

    result = mangle({key: item for key, item in found.items() if key not in {"kind", "apiVersion"}})
    return {**result, "kind": found["kind"], "apiVersion": found["apiVersion"]}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(mangled(), max_size=4), mangled(), mangled(), st.sampled_from(Operation))
def test_no_cluster_state_breaks_a_fact(
    objects: list[dict[str, Any]], old: dict[str, Any], new: dict[str, Any], operation: Operation
) -> None:
    check(request(GOOD[new["kind"]], operation, old=old, new=new), *CLUSTER, *objects)


@pytest.mark.parametrize("parameters", [{}, dict.fromkeys(PARAMETERS), dict.fromkeys(PARAMETERS, 7)])
@pytest.mark.parametrize("watched", RESOURCES, ids=lambda watched: watched.kind)
def test_no_parameters_break_a_fact(watched: Any, parameters: dict[str, Any]) -> None:
    check(request(watched, Operation.CREATE, new=CLUSTER[0]), *CLUSTER, parameters=parameters)


def test_every_topic_is_in_the_catalogue_and_no_name_is_taken_twice() -> None:
    modules = (import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__))
    topics = [module for module in modules if hasattr(module, "FACTS") and module.__name__ != CATALOG]
    names = [fact.name for topic in topics for fact in topic.FACTS]
    assert sorted(names) == sorted(FACTS)
    assert len(set(names)) == len(names)


def test_every_fact_is_documented_and_dotted() -> None:
    for name, fact in FACTS.items():
        assert fact.name == name
        assert "." in name
        assert fact.summary[0].isupper()
        assert fact.summary.endswith(".")


def test_every_fact_has_a_scope() -> None:
    assert SCOPES.keys() == FACTS.keys()
    assert all(scopes and all(scope.operations for scope in scopes) for scopes in SCOPES.values())


def _value(name: str, found: FactContext) -> Any:
    try:
        return FACTS[name].resolve(found)
    except FactUnavailable:
        return FactUnavailable


def test_outside_its_scope_a_fact_is_what_it_is_for_a_request_about_anything() -> None:
    """Held against every kind of request in the tests of the built-in policies."""
    wrong: set[tuple[str, str]] = set()
    asked: set[tuple[str, Shape]] = set()
    for suite in suites([ROOT / "policies"]):
        store = store_of(suite)
        world = World(store, StatedAuthorizer(suite.reviews) if suite.reviews else RBACAuthorizer(store))
        for case in suite.cases:
            found = _shape(case.request)
            if (suite.name, found) in asked:
                continue
            asked.add((suite.name, found))
            judged, other = (_context(world, one) for one in (case.request, _about_a_config_map(case.request)))
            wrong |= {
                (name, f"{found} ({case.where})")
                for name, scopes in SCOPES.items()
                if scopes != EVERYWHERE and not in_scope(scopes, found) and _value(name, judged) != _value(name, other)
            }
    assert wrong == set()
    assert len(asked) > 100


def _shape(asked: AdmissionRequest) -> Shape:
    resource = asked.resource
    return Shape(
        group=resource.group, resource=resource.resource, subresource=asked.subresource, operation=asked.operation
    )


def _about_a_config_map(asked: AdmissionRequest) -> AdmissionRequest:
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": asked.subject.name}}
    return replace(
        asked,
        resource=GroupVersionResource("", "v1", "configmaps"),
        kind=GroupVersionKind("", "v1", "ConfigMap"),
        subresource="",
        object=found if asked.object is not None else None,
        old_object=found if asked.old_object is not None else None,
    )


def _context(world: World, asked: AdmissionRequest) -> FactContext:
    return FactContext(
        request=asked,
        view=world.view,
        authorizer=world.authorizer,
        parameters=PARAMETERS,
        now=NOW,
        deadline=Deadline.after(30),
    )
