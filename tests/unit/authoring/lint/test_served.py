"""Resource rules that name a group or a resource that there is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import Json, binding, findings, policy, rule
from webhook.authoring.lint.served import _SERVED
from webhook.kubevirt.resources import RESOURCES
from webhook.kubevirt.templates import TEMPLATES


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        pytest.param(rule("CREATE", resource="virtualmachines/*"), "", id="known"),
        pytest.param(rule("CREATE", resource="*/status"), "", id="wildcard"),
        pytest.param(rule("CREATE", resource="things", group="x.io"), "", id="group-of-somebody-else"),
        pytest.param(rule("CREATE", resource="virtualmachine", group="*"), "", id="any-group"),
        pytest.param(rule("CREATE", resource="datavolumes", group="cdi.kubevirt.io"), "", id="group-not-known"),
        pytest.param(
            rule("CREATE", resource="virtualmachineinstancemigration"),
            "did you mean 'virtualmachineinstancemigrations'?", id="singular",
        ),
        pytest.param(rule("CREATE", resource="virtualmachine/status"), "did you mean 'virtualmachines'?", id="part"),
        pytest.param(
            rule("CREATE", resource="migrationpolicies"), "it is one of API group migrations.kubevirt.io",
            id="of-another-group",
        ),
        pytest.param(rule("CREATE", resource="pods"), 'it is one of API group ""', id="of-the-core-group"),
        pytest.param(rule("CREATE", resource="things"), "a resource is named in the plural", id="none"),
        pytest.param(rule("CREATE", group="kubevirt.ioo"), "did you mean 'kubevirt.io'?", id="misspelt-group"),
        pytest.param(
            rule("CREATE", group="kubevirt.io/v1"),
            "write kubevirt.io; versions have a field of their own", id="version",
        ),
    ],
)  # fmt: skip
def test_a_rule_names_what_there_is(wrong: Json, hint: str, tmp_path: Path) -> None:
    found = findings(tmp_path, policy(rules=[rule("UPDATE"), wrong]))
    assert [(one.rule, one.hint) for one in found] == ([("unknown-resource", hint)] if hint else [])


def test_one_of_several_groups_may_have_it(tmp_path: Path) -> None:
    given = {**rule("CREATE"), "apiGroups": ["", "kubevirt.io"], "resources": ["pods", "virtualmachines"]}
    assert findings(tmp_path, policy(rules=[given])) == ()


def test_exceptions_and_bindings_are_looked_at_too(tmp_path: Path) -> None:
    wrong = rule("CREATE", resource="virtualmachine")
    given = policy(match={"excludeResourceRules": [wrong]})
    found = findings(tmp_path, given, binding(matchResources={"resourceRules": [rule("CREATE"), wrong]}))
    assert [(one.rule, one.subject) for one in found] == [
        ("unknown-resource", "GuardPolicy guard"),
        ("unknown-resource", "GuardPolicyBinding bound"),
    ]


def test_what_migguard_reads_is_known() -> None:
    read = {(one.resource.group, one.resource.resource) for one in RESOURCES}
    read |= {(one.group, one.resource) for one in TEMPLATES}
    assert [(group, name) for group, name in sorted(read) if group in _SERVED and name not in _SERVED[group]] == []
