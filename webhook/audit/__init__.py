"""The decision log: one record per decision. Not Kubernetes' API audit log, and not the scan of existing objects."""
