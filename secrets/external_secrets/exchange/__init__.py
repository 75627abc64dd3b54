"""What others made and what we give away: external secrets as plain Kubernetes objects, read and written."""
