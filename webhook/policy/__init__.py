"""Policies as data: read, check, compile, match, evaluate. Knows no KubeVirt: the facts are handed to it."""
