"""PolicyTests: read, run, compared, and what they leave out."""
