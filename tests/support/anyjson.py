"""Any JSON, often with the names of fields that KubeVirt's objects really have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)


def any_json(*names: str) -> st.SearchStrategy[Any]:
    """JSON values whose keys and texts are often these."""
    words = st.sampled_from(names) | st.text(max_size=4) if names else st.text(max_size=4)
    return st.recursive(
        _SCALARS | words, lambda part: st.lists(part, max_size=4) | st.dictionaries(words, part, max_size=4)
    )


ANY_JSON = any_json("model", "features", "name", "policy", "hyperv", "reenlightenment", "enabled", "nodeName")

_PART = any_json(
    *("name", "default", "pod", "bridge", "masquerade", "binding", "migration", "model", "host-model", "policy"),
    *("deviceName", "sev", "tdx", "hyperv", "reenlightenment", "enabled", "lun", "reservation", "cdrom", "readonly"),
    *("persistentVolumeClaim", "claimName", "dataVolume", "hostDisk", "shared", "containerDisk", "hotpluggable"),
)


def _fields(*names: str, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return _PART | st.fixed_dictionaries({}, optional={**dict.fromkeys(names, _PART), **known})


ANY_VMI_SPEC = _fields(
    *("architecture", "evictionStrategy", "networks", "volumes"),
    domain=_fields(
        *("cpu", "launchSecurity"),
        features=_fields("hyperv", "hypervPassthrough"),
        devices=_fields("interfaces", "gpus", "hostDevices", "disks", "filesystems", "autoattachPodInterface"),
    ),
)
"""What a request may hold where the spec of a VMI should stand: its fields, with anything in them."""
