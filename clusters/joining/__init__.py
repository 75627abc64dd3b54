"""How a cluster lets the console in by an identity of its own: the manifest, the page's context, ends and renewals."""

from clusters.joining.asking import context

__all__ = ["context"]
