"""Delinea Secret Server and DevOps Secrets Vault."""
