"""A trace as a program reads it."""

from __future__ import annotations

import json

from tests.support import builders
from tests.support.engine import NOW, judging, mutating, policy_set, request
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.offline.tracing.asjson import as_json
from webhook.offline.tracing.steps import Trace
from webhook.offline.tracing.trace import trace


def traced() -> Trace:
    view = View(builders.namespace(), builders.vmi())
    documents = [
        judging(
            "variables.phase == 'Gone'",
            variables=[{"name": "phase", "expression": "vmi.phase"}],
            matchConditions=[{"name": "any", "expression": "true"}],
        ),
        mutating("{'spec': {'x': 1}}", "sets"),
    ]
    world = World(view, RBACAuthorizer(view))
    return trace(request(), policies=policy_set(*documents, catalog=CATALOG), world=world, now=NOW)


def test_everything_is_there_and_is_json():
    told = json.loads(json.dumps(as_json(traced())))
    assert told["request"] | {"uid": "", "groups": []} == {
        "uid": "",
        "operation": "CREATE",
        "group": "kubevirt.io",
        "resource": "virtualmachineinstancemigrations",
        "subresource": "",
        "namespace": "prod",
        "name": "move",
        "user": "alice",
        "groups": [],
        "origin": "User",
        "dryRun": False,
    }
    assert (told["allowed"], told["refusedBy"]) == (False, ["guard"])
    mutate, validate = told["phases"]
    assert mutate["patch"] == [{"op": "add", "path": "/spec/x", "value": 1}]
    (guard,) = validate["policies"]
    assert (guard["result"], guard["refuses"], guard["facts"]) == ("fail", True, ["vmi.phase"])
    assert [one["value"] for one in guard["conditions"]] == [True]
    assert guard["variables"][0] | {"where": ""} == {
        "name": "phase",
        "where": "",
        "expression": "vmi.phase",
        "value": "Running",
    }
    assert (guard["validations"][0]["value"], guard["validations"][0]["message"]) == (False, "it does not hold")
    assert validate["facts"] == [
        {
            "name": "vmi.phase",
            "value": "Running",
            "setBy": "",
            "readFrom": [
                {
                    "lookUp": "VirtualMachineInstance prod/db",
                    "objects": ["VirtualMachineInstance prod/db"],
                    "count": 1,
                }
            ],
            "asked": [],
        }
    ]


def test_times_are_there_only_where_they_are_wanted():
    assert "seconds" not in json.dumps(as_json(traced()))
    told = as_json(traced(), times=True)
    assert told["seconds"] > 0
    assert told["phases"][1]["policies"][0]["seconds"] > 0
