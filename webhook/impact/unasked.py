"""The authorizer where nobody asks, or nobody knows who does."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.errors import FactUnavailable
from webhook.model.facts import Attributes, Deadline
from webhook.model.request import UserInfo


@dataclass(frozen=True, slots=True)
class NobodyAsks:
    """An Authorizer without an answer, as that depends on who asks."""

    why: str
    """Why it is not known."""

    def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:  # noqa: ARG002 - the port's signature
        """See Authorizer."""
        raise FactUnavailable(self.why)
