"""The command that binds a ClusterRole to somebody: the next step that refusals name."""

from __future__ import annotations

import re
import shlex

from webhook.model.request import UserInfo

_ACCOUNT = re.compile(r"system:serviceaccount:(?P<namespace>[^:]+):(?P<name>[^:]+)")


def bind_command(user: UserInfo, role: str, namespace: str, purpose: str) -> str:
    """Return the command, ready for a shell; without a namespace for the whole cluster.

    The binding's name is a valid one that tells what and whose it is: ``migrate-alice``.
    """
    account = _ACCOUNT.fullmatch(user.username)
    if account:
        subject = f"--serviceaccount={account['namespace']}:{account['name']}"
        whose = f"{account['namespace']}-{account['name']}"
    elif user.username or not user.groups:
        subject, whose = f"--user={user.username}", user.username
    else:
        subject, whose = f"--group={user.groups[0]}", user.groups[0]
    words = re.sub(r"[^a-z0-9]+", "-", f"{purpose}-{whose}".lower())
    kind = "rolebinding" if namespace else "clusterrolebinding"
    where = ["-n", namespace] if namespace else []
    name = words[:63].strip("-")
    return shlex.join(["oc", "create", kind, name, *where, f"--clusterrole={role}", subject])
