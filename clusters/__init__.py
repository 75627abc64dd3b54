"""Clusters, the one door to Kubernetes, services, and deploys."""
