"""What policies and changes do to a cluster: manifests, what exists, what was decided, what a change would touch."""
