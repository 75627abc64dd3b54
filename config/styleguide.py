"""The page that shows every component in every state; development and tests only."""

import datetime
from types import SimpleNamespace
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.roles import Permission, Role, allows
from config import ui_tags

ARN = "arn:aws:secretsmanager:eu-west-3:412380917263:secret:prod/payments/db-password-Ab12Cd"
MANIFEST = """\
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata:
  name: keyhaven-payments-prod-aws-payments
"""
PARTS = (
    ("Buttons", "square"),
    ("Badges", "circle-check"),
    ("Forms", "text-cursor-input"),
    ("Tables", "table"),
    ("Lists", "list"),
    ("Notes", "info"),
    ("Wizard", "list-checks"),
    ("Deploy", "rocket"),
    ("Dialogs", "message-square"),
    ("Words", "type"),
)


class ExampleForm(forms.Form):
    """One field of each kind."""

    method = forms.ChoiceField(
        label="How does the cluster sign in?",
        choices=[("role", "Assume an IAM role"), ("keys", "Access key")],
        widget=forms.RadioSelect,
        initial="role",
    )
    arn = forms.CharField(label="Role ARN", help_text="For example arn:aws:iam::412380917263:role/eso-prod")
    region = forms.ChoiceField(label="Region", choices=[("eu-west-3", "eu-west-3 (Paris)")])
    secret = forms.CharField(label="Secret access key", widget=forms.PasswordInput)
    namespaces = forms.MultipleChoiceField(
        label="Namespaces that may use it",
        choices=[(name, name) for name in ("shop", "billing", "search")],
        widget=forms.CheckboxSelectMultiple,
        initial=["shop"],
    )
    policy = forms.CharField(label="Trust policy", widget=forms.Textarea(attrs={"rows": 4}), required=False)
    file = forms.FileField(label="Or upload the file", required=False)
    adopt = forms.BooleanField(label="Adopt an operator that is already there", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        consequences = {"role": "No keys stored. Uses the cluster's own identity.", "keys": "You rotate it."}
        self.fields["method"].consequences = consequences  # type: ignore[attr-defined]

    def clean_arn(self) -> str:
        account = str(self.cleaned_data["arn"]).split(":")[4]
        if len(account) != 12:
            raise forms.ValidationError(f"The account id has {len(account)} digits; AWS account ids have 12.")
        return str(self.cleaned_data["arn"])


def _shell() -> dict[str, Any]:
    """Return what base.html shows for a member; nobody is signed in here."""
    names = ("Acme Platform", "Acme Labs", "Globex")
    organizations = [
        SimpleNamespace(name=name, slug=name.lower().replace(" ", "-"), initials=name[0] + name[-1].upper())
        for name in names
    ]
    nav = [
        {
            "label": part,
            "icon": icon,
            "url": f"#{part.lower()}",
            "current": part == "Buttons",
            "group": "",
            "key": part[0].lower(),
        }
        for part, icon in PARTS
    ]
    return {
        "organization": organizations[0],
        "organizations": organizations,
        "membership": SimpleNamespace(role_names="Owner"),
        "user": SimpleNamespace(initials="MR", email="marie@example.com", name="Marie Rey"),
        "nav": nav,
    }


def show(request: HttpRequest) -> HttpResponse:
    """Show the components with examples that touch no database."""
    now = timezone.now()
    broken = ExampleForm({"method": "role", "arn": "arn:aws:iam::4123:role/", "region": "eu-west-3"})
    statuses = ("ready", "running", "degraded", "failed", "stopped", "unreachable")
    names = ("payments-prod", "payments-staging", "analytics-prod", "edge-us", "sandbox", "legacy-bare-metal")
    context = _shell() | {
        "statuses": list(ui_tags.BADGES),
        "tones": ["ok", "info", "warn", "bad", "idle"],
        "marks": sorted(ui_tags.MARKS),
        "form": ExampleForm(),
        "broken": broken,
        "rows": [
            {"name": name, "status": status, "at": now - datetime.timedelta(minutes=4**number)}
            for number, (name, status) in enumerate(zip(names, statuses, strict=True))
        ],
        "set_at": now - datetime.timedelta(days=3),
        "arn": ARN,
        "manifest": MANIFEST,
        "roles": [role.label for role in Role],
        "matrix": [
            {"label": permission.sentence, "allowed": [allows(role, permission) for role in Role]}
            for permission in (
                Permission.CLUSTER_VIEW,
                Permission.ACCESS_MANAGE,
                Permission.AUDIT_VIEW,
                Permission.DEPLOY_RUN,
            )
        ],
    }
    return render(request, "styleguide.html", context)
