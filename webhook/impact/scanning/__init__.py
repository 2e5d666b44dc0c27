"""What already exists, judged as it stands, and reports of it."""
