"""Manifests of a Git repository, judged as if they were applied."""
