"""Cluster state: a pruned, indexed store filled by watches or manifests.

The only package that speaks to the kube-apiserver; it knows no KubeVirt.
"""
