"""What other apps may listen to."""

from django.dispatch import Signal

# Sent after the commit that made or changed an access; carries `access`.
access_saved = Signal()
