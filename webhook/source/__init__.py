"""Reading YAML and JSON texts strictly and with places, so that every error can say file:line:column.

Knows nothing of what the documents mean.
"""
