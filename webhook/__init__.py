"""migguard: a policy-as-code admission webhook for live migration on KubeVirt and OpenShift Virtualization."""

__version__ = "0.1.0"
