"""What changes between two policy sets, in what they decide."""
