"""Who refuses is told as the decision has it."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.support import builders
from tests.support.engine import NOW, judging, policy_set, request
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.model.request import Phase, UserInfo
from webhook.offline.tracing.policies import refuses
from webhook.offline.tracing.trace import trace

ACTIONS = (["Deny"], ["Warn"], ["Audit"], ["Deny", "Audit"], ["Warn", "Audit"])
EXPRESSIONS = {"holds": "true", "does-not-hold": "false", "fails": "object.spec.nothing == 1"}
USERS = {"person": "alice", "drain": "system:serviceaccount:kubevirt:kubevirt-controller"}


@pytest.mark.parametrize(
    ("actions", "expression", "failure", "user"),
    [
        pytest.param(actions, expression, failure, user, id=f"{'+'.join(actions)}-{name}-{failure}-{who}")
        for actions, (name, expression), failure, (who, user) in itertools.product(
            ACTIONS, EXPRESSIONS.items(), ("Fail", "Ignore"), USERS.items()
        )
    ],
)
def test_a_policy_decides_exactly_where_the_request_is_refused(actions, expression, failure, user):
    view = View(builders.namespace(), builders.kubevirt())
    document = judging(expression, validationActions=actions, failurePolicy=failure)
    found = trace(
        request(user=UserInfo(username=user)),
        [Phase.VALIDATE],
        policies=policy_set(document, catalog=CATALOG),
        world=World(view, RBACAuthorizer(view)),
        now=NOW,
    )
    (told,) = found.policies
    decision = found.phases[0].decision
    assert told.decides is not decision.allowed
    assert refuses(decision.evaluations[0], decision.origin) is told.decides


def test_what_json_lacks_is_shown_as_text():
    view = View(builders.namespace())
    variables = [{"name": "odd", "expression": "{1: b'x', 'two': [type(1)]}"}]
    document = judging("size(variables.odd) == 2", variables=variables)
    found = trace(
        request(),
        [Phase.VALIDATE],
        policies=policy_set(document, catalog=CATALOG),
        world=World(view, RBACAuthorizer(view)),
        now=NOW,
    )
    (variable,) = found.policies[0].variables
    assert set(variable.value) == {"1", "two"}
    assert json.loads(json.dumps(variable.value)) == variable.value
    assert isinstance(variable.value["1"], str)
