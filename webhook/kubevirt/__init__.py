"""What KubeVirt, HyperConverged and Kubernetes RBAC mean for a live migration, as facts.

Reads through the ports of ``webhook.model``; does no I/O.
"""
