"""A small cluster in which alice asks whether she may migrate the VM prod/db."""

from __future__ import annotations

from tests.support import builders
from tests.support.engine import NOW, Json, judging, policy_set
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.impact.vm.canmigrate import Answer, can_migrate
from webhook.impact.vm.name import VMName
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.model.request import UserInfo

ALICE = builders.user("alice")
MAY = (builders.cluster_role(), builders.role_binding("move", "prod", ALICE))
"""What gives her the right."""
VM = (builders.vm(), builders.vmi())
"""The VM, which runs."""
ASKS_FOR_THE_RIGHT = judging("requester.origin != 'User' || requester.canMigrate", "right")


def answer(*objects: Json, documents: tuple[Json, ...] = (ASKS_FOR_THE_RIGHT,), user: UserInfo | None = None) -> Answer:
    """Ask; alice does unless it is somebody else."""
    view = View(builders.namespace(), *objects)
    return can_migrate(
        VMName("prod", "db"),
        user or builders.someone(),
        policies=policy_set(*documents, catalog=CATALOG),
        world=World(view, RBACAuthorizer(view)),
        now=NOW,
    )
