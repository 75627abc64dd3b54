"""The WSGI application: `gunicorn config.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from accounts.encryption import keys  # noqa: E402  after the apps are there

# A console that could not read what is stored, or would write what nobody can read, does not start.
keys.check()
