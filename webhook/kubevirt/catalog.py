"""All facts by name. Each topic lists its own in ``FACTS``; this module only joins them."""

from __future__ import annotations

from webhook.kubevirt import (
    cancellation,
    capacity,
    configfacts,
    cpumodel,
    criticalcopy,
    criticalflag,
    exposure,
    freeze,
    impersonation,
    labelchange,
    migratability,
    migrateroles,
    migrationconfig,
    migrationnetwork,
    migrations,
    migrationtime,
    permission,
    quota,
    rbacchange,
    remedy,
    requester,
    targets,
    testannotations,
    unflag,
    vmim,
    volumechange,
    volumes,
    workload,
    workloadupdate,
)
from webhook.model.facts import FactCatalog

FACTS: FactCatalog = {
    fact.name: fact
    for topic in (
        requester.FACTS,
        permission.FACTS,
        remedy.FACTS,
        rbacchange.FACTS,
        impersonation.FACTS,
        migrateroles.FACTS,
        workload.FACTS,
        volumes.FACTS,
        cpumodel.FACTS,
        migratability.FACTS,
        migrationconfig.FACTS,
        configfacts.FACTS,
        labelchange.FACTS,
        exposure.FACTS,
        criticalflag.FACTS,
        unflag.FACTS,
        volumechange.FACTS,
        criticalcopy.FACTS,
        migrations.FACTS,
        vmim.FACTS,
        testannotations.FACTS,
        cancellation.FACTS,
        freeze.FACTS,
        capacity.FACTS,
        targets.FACTS,
        quota.FACTS,
        migrationnetwork.FACTS,
        migrationtime.FACTS,
        workloadupdate.FACTS,
    )
    for fact in topic
}
