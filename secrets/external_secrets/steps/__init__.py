"""The steps that bring links into a cluster: external secrets, inject, observe."""

from external_secrets.steps.apply import ApplyExternalSecrets
from external_secrets.steps.inject import Inject
from external_secrets.steps.observe import Observe, watch

__all__ = ["ApplyExternalSecrets", "Inject", "Observe", "watch"]
