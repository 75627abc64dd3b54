"""Any HTTP interface that answers one value per request."""
