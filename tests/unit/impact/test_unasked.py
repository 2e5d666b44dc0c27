"""Nobody can say what somebody may do whom nobody names."""

from __future__ import annotations

import pytest

from webhook.errors import FactUnavailable
from webhook.impact.unasked import NobodyAsks
from webhook.model.facts import Attributes, Deadline
from webhook.model.request import UserInfo


def test_a_right_is_not_known_where_nobody_asks() -> None:
    question = Attributes(verb="get", group="", resource="pods")
    with pytest.raises(FactUnavailable, match="a scan has no requester"):
        NobodyAsks("a scan has no requester").allows(UserInfo(username="x"), question, deadline=Deadline.after(1))
