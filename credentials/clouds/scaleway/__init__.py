"""Scaleway: signing in with an API key, asking, and what its refusals mean."""

from credentials.clouds.scaleway.asking import Identity, ask

__all__ = ["Identity", "ask"]
