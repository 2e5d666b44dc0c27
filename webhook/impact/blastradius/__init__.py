"""What a write of configuration or labels would change for running VMs."""
