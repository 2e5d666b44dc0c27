"""The time that a migration is given. Sources: KubeVirt manager.go, live-migration-source.go, as the ids say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import context, create, kubevirt, migration_policy, vmi, vmim
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.memory import GIB
from webhook.kubevirt.migrationtime import allowed_seconds, data_bytes, dirty_rate
from webhook.kubevirt.resources import VMIM

ASKED = create(VMIM, vmim())


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        pytest.param({"memory": {"guest": "8Gi"}}, 8 * GIB, id="manager.go-guest"),
        pytest.param({"resources": {"requests": {"memory": "4Gi"}}}, 4 * GIB, id="manager.go-request"),
        pytest.param(
            {"memory": {"guest": "8Gi"}, "resources": {"requests": {"memory": "4Gi"}}},
            8 * GIB,
            id="manager.go-guest-overrides-the-request",
        ),
        pytest.param({"resources": {"limits": {"memory": "4Gi"}}}, 0, id="manager.go-limits-do-not-count"),
        pytest.param({}, 0, id="unknown"),
        pytest.param({"memory": {"guest": "-1"}}, 0, id="negative"),
    ],
)
def test_the_memory_that_counts(domain: dict[str, Any], expected: int) -> None:
    assert data_bytes(vmi(spec={"domain": domain})) == expected


@pytest.mark.parametrize(
    ("size", "per_giga", "expected"),
    [
        pytest.param(8 * GIB, 150, 9 * 150, id="manager.go-ScaledValue-counts-10^9-bytes-rounded-up"),
        pytest.param(8 * 10**9, 150, 8 * 150, id="manager.go-exactly"),
        pytest.param(1, 20, 20, id="manager.go-at-least-one"),
        pytest.param(8 * GIB, 0, 0, id="live-migration-source.go-0-is-for-ever"),
        pytest.param(0, 150, 0, id="live-migration-source.go-no-size-no-timeout"),
        pytest.param(2**62, 2**62, 2**63 - 1, id="beyond-int64"),
        pytest.param(8 * GIB, -5, 0, id="negative"),
    ],
)
def test_the_time_allowed_grows_with_the_size(size: int, per_giga: int, expected: int) -> None:
    assert allowed_seconds(size, per_giga) == expected


@given(st.integers(0, 2**50), st.integers(0, 2**50), st.integers(0, 10**4))
def test_a_larger_vm_is_never_given_less(size: int, more: int, per_giga: int) -> None:
    assert allowed_seconds(size, per_giga) <= allowed_seconds(size + more, per_giga)
    assert allowed_seconds(size, per_giga) * 10**9 >= size * per_giga


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(None, -1, id="nobody-says"),
        pytest.param("64Mi", 64 * 2**20, id="quantity"),
        pytest.param(" 64Mi ", 64 * 2**20, id="spaces"),
        pytest.param("0", 0, id="idle"),
        pytest.param("fast", -1, id="no-quantity"),
        pytest.param("-5Mi", -1, id="negative"),
        pytest.param("", -1, id="empty"),
    ],
)
def test_the_dirty_rate_is_what_the_owner_says(written: str | None, expected: int) -> None:
    made = vmi()
    made["metadata"]["annotations"] = {} if written is None else {"migguard.io/dirty-rate": written}
    assert dirty_rate(made) == expected
    assert FACTS["migration.dirtyBytesPerSecond"].resolve(context(ASKED, made)) == expected


def test_the_time_is_that_of_the_policy_in_force() -> None:
    """Source: KubeVirt migrationpolicy.go."""
    made = vmi(spec={"domain": {"memory": {"guest": "8Gi"}}}, labels={"app": "db"})
    slow = migration_policy(selectors={"virtualMachineInstanceSelector": {"app": "db"}}, completionTimeoutPerGiB=400)
    cr = kubevirt({"completionTimeoutPerGiB": 20})
    allowed = FACTS["migration.allowedSeconds"]
    assert allowed.resolve(context(ASKED, made, cr)) == 9 * 20
    assert allowed.resolve(context(ASKED, made, cr, slow)) == 9 * 400
    assert FACTS["migration.dataBytes"].resolve(context(ASKED, made)) == 8 * GIB
    assert FACTS["migration.dataSize"].resolve(context(ASKED, made)) == "8Gi"


def test_without_a_vm_there_is_nothing_to_copy() -> None:
    found = context(ASKED)
    assert [FACTS[f"migration.{name}"].resolve(found) for name in ("dataBytes", "allowedSeconds")] == [0, 0]
    assert FACTS["migration.dirtyBytesPerSecond"].resolve(found) == -1
