"""Where an event's object is shown, for mails; by the page's name, since the apps above bring their pages themselves."""

import re

from django.urls import NoReverseMatch, reverse

from accounts.outgoing.payload import Event

# Of an event's details, what is from our own tables and may be in a mail.
TOLD = {"cause": "Cause", "days": "Days left", "drifted": "Objects", "events": "Events"}
_DEPLOY = re.compile(r"Deploy (\d+) of ")


def page_of(event: Event) -> str:
    """Return the path of the page that shows an event's object, or of the audit log."""
    org, cluster, target = event["organization"], event["cluster"], event["target"]
    found = _DEPLOY.match(target["name"])
    pages = {
        "deploy": ("clusters:deploy", {"cluster": cluster, "number": found[1] if found else ""}),
        "cluster": ("clusters:changes", {"cluster": cluster}),
        "access": ("accesses:detail", {"cluster": cluster, "access": target["name"]}),
        "externalsecret": ("external_secrets:linked", {}),
        "destination": ("accounts:notification", {"destination": target["id"]}),
    }
    name, arguments = pages.get(target["type"], ("accounts:audit", {}))
    try:
        return reverse(name, kwargs={"org": org} | arguments)
    except NoReverseMatch:
        return reverse("accounts:audit", kwargs={"org": org})
