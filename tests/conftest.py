"""Fixtures of real components, shared by the integration and the end-to-end tests; unit tests use none of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.controlplane import ControlPlane, control_plane
from tests.support.hyperconverged import conversion_webhook

_LOGS = pytest.StashKey[list[ControlPlane]]()


@pytest.fixture(scope="session", name="control_plane")
def control_plane_with_crds(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[ControlPlane]:
    """A kube-apiserver with our test CRDs and KubeVirt's ClusterRoles, for the whole run."""
    folder: Path = tmp_path_factory.mktemp("control-plane")
    with control_plane(folder) as plane:
        pytestconfig.stash.setdefault(_LOGS, []).append(plane)
        plane.install("crds", "rbac/kubevirt.yaml")
        with conversion_webhook(plane):
            yield plane


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the real components logged beside a failure."""
    report = yield
    if report.failed and "control_plane" in getattr(item, "fixturenames", ()):
        for plane in item.config.stash.get(_LOGS, []):
            report.sections += [(f"end of the log of {name}", text) for name, text in plane.logs.items()]
    return report
