"""All facts by name. Each topic lists its own in ``FACTS``; this module only joins them."""

from __future__ import annotations

from webhook.kubevirt import (
    configchange,
    exposure,
    migrationconfig,
    permission,
    requester,
    volumes,
    workload,
)
from webhook.model.facts import FactCatalog

FACTS: FactCatalog = {
    fact.name: fact
    for topic in (
        requester.FACTS,
        permission.FACTS,
        workload.FACTS,
        volumes.FACTS,
        migrationconfig.FACTS,
        configchange.FACTS,
        exposure.FACTS,
    )
    for fact in topic
}
