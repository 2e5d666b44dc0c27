"""Migrations under way while the configuration changes."""

from __future__ import annotations

import pytest

from tests.support.builders import CRITICAL, Json, kubevirt, namespace, vmi, vmim
from tests.unit.impact.blastradius.test_radius import radius
from webhook.impact.blastradius.flight import in_flight

NEW = kubevirt({"allowPostCopy": True, "disableTLS": True})


def state(phase: str, migration_state: Json | None = None) -> list[Json]:
    status = {"migrationState": migration_state} if migration_state else {}
    moving = {**vmim("move", phase=phase), "metadata": {"name": "move", "namespace": "prod", "uid": "u1"}}
    return [
        kubevirt({"allowPostCopy": False}),
        namespace(),
        vmi("db", labels=CRITICAL, status=status),
        vmi("web"),
        moving,
    ]


FROZEN = {"migrationUid": "u1", "migrationConfiguration": {"allowPostCopy": False, "allowWorkloadDisruption": False}}
CHANGED = ("allowPostCopy", "allowWorkloadDisruption", "disableTLS")


@pytest.mark.parametrize(
    ("found", "keeps", "takes"),
    [
        pytest.param(state(""), (), CHANGED, id="not seen yet"),
        pytest.param(state("Scheduling"), (), CHANGED, id="waiting"),
        pytest.param(state("Running", FROZEN), CHANGED[:2], CHANGED[2:], id="handed off: TLS is read live"),
        pytest.param(state("Running", {**FROZEN, "migrationUid": "u0"}), (), CHANGED, id="the state of an earlier one"),
        pytest.param(state("Running", {"migrationUid": "u1"}), (), CHANGED, id="handed off without a copy"),
    ],
)
def test_what_a_migration_keeps_was_laid_down_at_hand_off(
    found: list[Json], keeps: tuple[str, ...], takes: tuple[str, ...]
) -> None:
    (one,) = in_flight(radius(found, [NEW]))
    assert (str(one.subject), one.migration, one.subject.not_critical) == ("prod/db", "move", False)
    assert (set(one.keeps), set(one.takes)) == (set(keeps), set(takes))


@pytest.mark.parametrize(
    ("found", "new"),
    [
        pytest.param(state("Succeeded"), NEW, id="over"),
        pytest.param(state("Running", FROZEN), kubevirt({"parallelMigrationsPerCluster": 9}), id="of the cluster only"),
        pytest.param(state("Running", FROZEN), kubevirt({"allowPostCopy": False}), id="nothing"),
    ],
)
def test_migrations_that_nothing_changes_for_are_left_out(found: list[Json], new: Json) -> None:
    assert in_flight(radius(found, [new])) == ()
