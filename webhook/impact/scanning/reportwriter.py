"""Putting reports where they are read: into the cluster, or into files.

Those of an earlier scan are replaced. Where nothing is found any more they are removed, but only after a scan that saw
the whole: what could not be read is not mended by that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import yaml

from webhook.errors import ClusterError, InputError
from webhook.impact.scanning.policyreport import APIS, MANAGED_BY, NAME, Form
from webhook.model.objects import Object, name_of, namespace_of
from webhook.output.wording import counted

if TYPE_CHECKING:
    from webhook.cluster.client import Client

_FORBIDDEN, _NOT_FOUND = 403, 404
_TERMINATING = "because it is being terminated"
_MARK = f"# Written by {NAME} scan; the next one replaces it.\n"
_CLUSTER_FILE, _FOLDER = "cluster.yaml", "namespaces"


def served_form(client: Client) -> Form:
    """Return the API of reports that a cluster has, OpenReports before the older one. Raises ClusterError."""
    from webhook.cluster.lists import served  # noqa: PLC0415 - the kubernetes client; manifests have no need of it

    for form, api in APIS.items():
        if served(client, api.group, api.resource(cluster=True).resource) is not None:
            return form
    raise ClusterError(
        "the cluster has neither reports.openreports.io nor policyreports.wgpolicyk8s.io",
        where=client.server,
        hint="install the CRDs of OpenReports, or write files with --report-dir DIR",
    )


def to_cluster(reports: Sequence[Object], client: Client, form: Form, *, whole: bool = True) -> int:
    """Apply reports, and remove ours of namespaces in which nothing is found any more; return how many were written.

    A namespace that vanishes meanwhile is no failure. Nothing is removed unless ``whole``: all was scanned.

    Raises:
        ClusterError: reports that could not be written or removed; the others were.
    """
    from webhook.cluster.client import resource_path  # noqa: PLC0415 - see served_form

    written: set[str] = set()
    failed: list[ClusterError] = []
    for report in reports:
        namespace = namespace_of(report)
        path = resource_path(APIS[form].resource(cluster=not namespace), namespace, name_of(report))
        failed += _tried(partial(client.apply, path, report, manager=NAME))
        written.add(path)
    for path in sorted(_ours(client) - written) if whole else ():
        failed += _tried(partial(client.delete, path))
    if failed:
        raise ClusterError(f"{counted(len(failed), 'report')} could not be written or removed, first: {failed[0]}")
    return len(written)


def _tried(write: Callable[[], None]) -> list[ClusterError]:
    """Do it; what is wrong, if so. A namespace that is gone or is being deleted takes its report with it.

    Source: Kubernetes ``plugin/pkg/admission/namespace/lifecycle/admission.go``.
    """
    from webhook.cluster.failures import StatusError  # noqa: PLC0415 - see served_form

    try:
        write()
    except StatusError as error:
        gone = error.status == _NOT_FOUND or _TERMINATING in error.message
        return [] if gone else [error]
    return []


def _ours(client: Client) -> set[str]:
    """The paths of all reports that we wrote, of either API; one that is not served, or not ours to list, has none."""
    from webhook.cluster.client import resource_path  # noqa: PLC0415 - see served_form
    from webhook.cluster.failures import StatusError  # noqa: PLC0415 - see served_form

    found: set[str] = set()
    for api in APIS.values():
        for cluster in (True, False):
            resource = api.resource(cluster=cluster)
            try:
                for page in client.pages(resource_path(resource), {"labelSelector": f"{MANAGED_BY}={NAME}"}):
                    found |= {resource_path(resource, namespace_of(one), name_of(one)) for one in page.items}
            except StatusError as error:
                if error.status not in {_FORBIDDEN, _NOT_FOUND}:
                    raise
    return found


def to_files(reports: Sequence[Object], folder: Path, *, whole: bool = True) -> int:
    """Write reports as manifests below a folder, in place of those of an earlier scan; return how many were written.

    Others of an earlier scan are removed, but only if ``whole``: all was scanned.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        (folder / _FOLDER).mkdir(parents=True, exist_ok=True)
        files = {folder / _file_of(report): report for report in reports}
        before = {file for file in (folder / _CLUSTER_FILE, *(folder / _FOLDER).glob("*.yaml")) if file.exists()}
        ours = {file for file in before if file.read_text(errors="replace").startswith(_MARK)}
        foreign = sorted(before & files.keys() - ours)
        if foreign:
            raise InputError("is no report of an earlier scan", where=str(foreign[0]), hint="name another folder")
        for file, report in files.items():
            content = yaml.safe_dump(report, sort_keys=False, allow_unicode=True, width=120)
            file.write_text(_MARK + content, encoding="utf-8", errors="replace")
        for file in sorted(ours - files.keys()) if whole else ():
            file.unlink()
    except OSError as error:
        raise InputError(
            f"the reports cannot be written: {error.strerror or error}", where=str(folder), hint="check its permissions"
        ) from error
    return len(files)


def _file_of(report: Object) -> str:
    namespace = namespace_of(report)
    return f"{_FOLDER}/{quote(namespace, safe='')}.yaml" if namespace else _CLUSTER_FILE
