"""What other apps may listen to."""

from django.dispatch import Signal

# Sent after the commit that made or changed an access; carries `access`.
access_saved = Signal()

# Sent by a deploy that could list names with an access for the first time, or again; carries `access`.
access_opened = Signal()
