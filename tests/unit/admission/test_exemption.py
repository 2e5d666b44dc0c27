"""Who is spared a policy, for how long, and who is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.engine import NOW, Json, exemption, labelled, migration, policy, policy_set, request
from webhook.admission.exemption import exempting
from webhook.errors import FactUnavailable
from webhook.model.request import AdmissionRequest, Operation, UserInfo

GOLD = {"matchLabels": {"tier": "gold"}}


def _gold_namespace() -> Mapping[str, Any]:
    return {"metadata": {"labels": {"tier": "gold"}}}


def _exempted(
    made: Json,
    asked: AdmissionRequest,
    *,
    now: datetime = NOW,
    policy_name: str = "guard",
    namespace: Any = _gold_namespace,
) -> bool:
    exemptions = policy_set(policy(), policy("other"), made).exemptions
    return exempting(exemptions, policy_name, asked, namespace=namespace, now=now) is not None


def _user(name: str, *groups: str) -> UserInfo:
    return UserInfo(username=name, groups=groups)


DELETE: Json = {"operation": Operation.DELETE, "object": None, "old_object": migration()}
ROBOT = {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"}


@pytest.mark.parametrize(
    ("fields", "asked", "exempted"),
    [
        pytest.param({}, {}, True, id="alice"),
        pytest.param({}, {"user": _user("bob")}, False, id="bob"),
        pytest.param({}, {"user": _user("alice2", "alice")}, False, id="a group is no user"),
        pytest.param({"subjects": [{"kind": "Group", "name": "ops"}]}, {"user": _user("bob", "ops")}, True, id="group"),
        pytest.param({"subjects": [{"kind": "Group", "name": "ops"}]}, {"user": _user("ops")}, False, id="not a group"),
        pytest.param(
            {"subjects": [ROBOT]}, {"user": _user("system:serviceaccount:ci:robot")}, True, id="service account"
        ),
        pytest.param(
            {"subjects": [ROBOT]},
            {"user": _user("system:serviceaccount:other:robot")},
            False,
            id="of another namespace",
        ),
        pytest.param({"subjects": [ROBOT]}, {"user": _user("robot")}, False, id="a user of that name"),
        pytest.param(
            {"subjects": [{"kind": "User", "name": "bob"}, {"kind": "User", "name": "alice"}]},
            {},
            True,
            id="one of several",
        ),
        pytest.param({"namespaces": ["test", "prod"]}, {}, True, id="namespace"),
        pytest.param({"namespaces": ["test"]}, {}, False, id="another namespace"),
        pytest.param({"namespaces": ["prod"]}, {"namespace": ""}, False, id="cluster-scoped"),
        pytest.param({"names": ["move"]}, {}, True, id="name"),
        pytest.param({"names": ["other"]}, {}, False, id="another name"),
        pytest.param({"names": ["move"]}, {**DELETE, "name": ""}, True, id="deleted with its collection"),
        pytest.param({"operations": ["CREATE", "UPDATE"]}, {}, True, id="operation"),
        pytest.param({"operations": ["*"]}, {}, True, id="any operation"),
        pytest.param({"operations": ["CREATE"]}, DELETE, False, id="another operation"),
        pytest.param({"namespaceSelector": GOLD}, {}, True, id="labels of the namespace"),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"tier": "x"}}}, {}, False, id="other labels of the namespace"
        ),
        pytest.param({"objectSelector": GOLD}, {"object": labelled(tier="gold")}, True, id="labels of the object"),
        pytest.param({"objectSelector": GOLD}, {}, False, id="no labels"),
        pytest.param(
            {"objectSelector": GOLD},
            {"operation": Operation.UPDATE, "object": labelled(tier="gold"), "old_object": migration()},
            False,
            id="the label put on in the same write",
        ),
        pytest.param(
            {"objectSelector": GOLD},
            {"operation": Operation.UPDATE, "object": labelled(tier="gold"), "old_object": labelled(tier="gold")},
            True,
            id="the label there before and after",
        ),
        pytest.param(
            {"objectSelector": GOLD}, {**DELETE, "old_object": labelled(tier="gold")}, True, id="deleted with the label"
        ),
        pytest.param(
            {"objectSelector": GOLD},
            {"operation": Operation.CONNECT, "object": None},
            False,
            id="no object that could have the label",
        ),
        pytest.param({"objectSelector": {}, "namespaceSelector": {}}, {}, True, id="empty selectors select all"),
    ],
)
def test_an_exemption_spares_those_it_is_for(fields: Json, asked: Json, exempted: bool) -> None:
    assert _exempted(exemption(**fields), request(**asked)) is exempted


def test_an_exemption_is_from_the_policies_it_names() -> None:
    assert _exempted(exemption(), request())
    assert not _exempted(exemption(), request(), policy_name="other")
    assert _exempted(exemption(policies=["guard", "other"]), request(), policy_name="other")


SECOND = timedelta(seconds=1)
END = datetime.fromisoformat("2026-04-01T00:00:00Z")
START = datetime.fromisoformat("2026-03-10T00:00:00Z")


@pytest.mark.parametrize(
    ("now", "exempted"),
    [(START - SECOND, False), (START, True), (END - SECOND, True), (END, False), (END + SECOND, False)],
    ids=["before", "start", "last second", "end", "after"],
)
def test_an_exemption_lasts_from_its_start_to_its_end(now: datetime, exempted: bool) -> None:
    made = exemption(starts="2026-03-10", expires="2026-04-01")

    assert _exempted(made, request(), now=now) is exempted


def test_the_exemption_that_spares_is_named() -> None:
    exemptions = policy_set(
        policy(), exemption("for-bob", subjects=[{"kind": "User", "name": "bob"}]), exemption("for-alice")
    ).exemptions

    found = exempting(exemptions, "guard", request(), namespace=_gold_namespace, now=NOW)

    assert found is not None
    assert found.name == "for-alice"


def test_the_namespace_is_only_looked_up_where_all_else_fits() -> None:
    def refuse() -> Mapping[str, Any]:
        raise FactUnavailable("the cache is stale")

    assert _exempted(exemption(), request(), namespace=refuse)
    assert not _exempted(exemption(namespaceSelector=GOLD), request(user=_user("bob")), namespace=refuse)
    with pytest.raises(FactUnavailable):
        _exempted(exemption(namespaceSelector=GOLD), request(), namespace=refuse)
