"""What is noted while the pipeline judges: of two judgements the last one counts."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support import builders
from tests.support.engine import NOW, judging, policy_set, request
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.model.decision import Result
from webhook.model.facts import Deadline, Read
from webhook.model.request import Phase
from webhook.offline.tracing.trace import trace


class Arriving:
    """A fresh read brings what the cache did not have yet."""

    def __init__(self, view: View, *objects: builders.Json) -> None:
        self._view = view
        self._objects = objects

    def refresh(self, reads: Sequence[Read], deadline: Deadline) -> bool:
        for one in self._objects:
            self._view.put(one)
        return True


def test_a_refusal_that_a_fresh_read_takes_back_is_traced_as_it_ended():
    view = View(builders.namespace())
    world = World(view, RBACAuthorizer(view), Arriving(view, builders.vmi()))
    conditional = judging("vmi.found", matchConditions=[{"name": "creates", "expression": "request.operation != ''"}])
    found = trace(request(), [Phase.VALIDATE], policies=policy_set(conditional, catalog=CATALOG), world=world, now=NOW)
    (told,) = found.policies
    assert (told.result, told.validations[0].step.value) == (Result.PASS, True)
    assert found.phases[0].facts["vmi.found"].value is True


def test_a_policy_that_no_longer_applies_on_a_fresh_read_keeps_nothing_of_the_first_look():
    view = View(builders.namespace())
    world = World(view, RBACAuthorizer(view), Arriving(view, builders.vmi()))
    only_while_gone = judging("vmi.found", matchConditions=[{"name": "gone", "expression": "!vmi.found"}])
    found = trace(
        request(), [Phase.VALIDATE], policies=policy_set(only_while_gone, catalog=CATALOG), world=world, now=NOW
    )
    (told,) = found.policies
    assert told.left_out == "match condition 'gone' is not met"
    assert told.validations == ()
    assert found.allowed
