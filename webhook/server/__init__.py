"""HTTP: Flask under gunicorn, health, metrics."""
