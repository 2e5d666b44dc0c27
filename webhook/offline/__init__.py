"""Decisions without a cluster and a server: policy tests, through the very pipeline that the webhook uses."""
