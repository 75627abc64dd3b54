"""What other apps may listen to."""

from django.dispatch import Signal

# Sent in the transaction that replaced what a credential signs in with; carries `credential`.
credential_replaced = Signal()
