"""Options that several commands share, so that they are called and explained the same everywhere."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from webhook.errors import UsageError
from webhook.model.request import UserInfo
from webhook.offline.request import user_of
from webhook.offline.state import ClusterSource

P = ParamSpec("P")
R = TypeVar("R")


def policies(command: Callable[P, R]) -> Callable[P, R]:
    """``--policies DIR``, many times; gives ``policies: tuple[Path, ...]``."""
    return click.option(
        "--policies",
        type=click.Path(path_type=Path),
        metavar="DIR",
        multiple=True,
        required=True,
        envvar="MIGGUARD_POLICIES",
        show_envvar=True,
        help="Policies: directory or file; many times.",
    )(command)


def cluster(command: Callable[..., R]) -> Callable[..., R]:
    """``--cluster DIR | --kubeconfig FILE [--context NAME]``; gives ``source: ClusterSource``.

    Without any of them it is the cluster that kubectl would speak to.
    """

    @click.option(
        "--cluster",
        "cluster_dirs",
        type=click.Path(path_type=Path),
        metavar="DIR",
        multiple=True,
        help="Manifests that are the cluster's state; many times. See migguard snapshot.",
    )
    @click.option("--kubeconfig", metavar="FILE", default="", help="A live cluster; as kubectl finds it by default.")
    @click.option("--context", metavar="NAME", default="", help="Context of the kubeconfig file.")
    @functools.wraps(command)
    def wrapped(*args: object, cluster_dirs: Sequence[Path], kubeconfig: str, context: str, **kwargs: object) -> R:
        if cluster_dirs and (kubeconfig or context):
            raise UsageError("--cluster and --kubeconfig are both given", hint="choose one state of one cluster")
        source = ClusterSource(tuple(cluster_dirs), Path(kubeconfig) if kubeconfig else None, context)
        return command(*args, source=source, **kwargs)

    return wrapped


def identity(command: Callable[..., R]) -> Callable[..., R]:
    """``--as USER [--as-group GROUP …]``, as kubectl has them; gives ``user: UserInfo | None``."""

    @click.option("--as", "username", metavar="USER", default="", help="Who asks; system:serviceaccount:NS:NAME too.")
    @click.option("--as-group", "groups", metavar="GROUP", multiple=True, help="A group of that user; many times.")
    @functools.wraps(command)
    def wrapped(*args: object, username: str, groups: Sequence[str], **kwargs: object) -> R:
        if groups and not username:
            raise UsageError("--as-group needs --as", hint="a group is not somebody")
        user: UserInfo | None = user_of({"username": username, "groups": list(groups)}) if username else None
        return command(*args, user=user, **kwargs)

    return wrapped


def output(*forms: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """``-o FORM``; the first is the default. Gives ``form: str``."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="Form of the result.",
    )
