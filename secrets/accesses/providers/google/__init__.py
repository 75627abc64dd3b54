"""GCP Secret Manager."""
