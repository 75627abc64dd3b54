"""The page of the first start."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.organizations.models import Organization, User
from accounts.sign_in import first, limits, sessions
from accounts.sign_in.forms import address_field, password_field

TOKEN = "first_start"
TRIES = limits.Limit("first-start", 20, 60)


class FirstForm(forms.Form):
    """Who owns what."""

    organization = forms.CharField(
        label="Organization", max_length=80, widget=forms.TextInput({"autocomplete": "organization"})
    )
    name = forms.CharField(
        label="Your name", max_length=120, widget=forms.TextInput({"autocomplete": "name"})
    )
    email = address_field()
    password = password_field(autocomplete="new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].help_text = "More can be added later."
        self.fields["password"].help_text = "At least 8 characters, any will do."

    def clean_organization(self) -> str:
        name: str = self.cleaned_data["organization"]
        organization = Organization(name=name, slug=slugify(name)[:63].strip("-") or "organization")
        organization.full_clean()
        self.cleaned_data["slug"] = organization.slug
        return name

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if "password" in typed:
            try:
                validate_password(
                    typed["password"], User(email=typed.get("email", ""), name=typed.get("name", ""))
                )
            except ValidationError as error:
                self.add_error("password", error)
        return typed


@require_http_methods(["GET", "HEAD"])
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token out of the address, where others might read it, and remember it as a digest."""
    if TRIES.take(limits.place(sessions.address(request))) or not first.fits(first.digest(token)):
        return _ended(request)
    request.session[TOKEN] = first.digest(token)
    return redirect("first_start_form")


def _ended(request: HttpRequest) -> HttpResponse:
    return render(request, "account/first_ended.html", {"somebody": not first.is_open()}, status=404)


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def fill_in(request: HttpRequest) -> HttpResponse:
    """Ask for the first owner and the organization, and make both."""
    kept = request.session.get(TOKEN, "")
    if not first.fits(kept):
        return _ended(request)
    form = FirstForm(request.POST if request.method == "POST" else None)
    if not (form.is_bound and form.is_valid()):
        return render(request, "account/first.html", {"form": form}, status=422 if form.is_bound else 200)
    try:
        first.take(kept=kept, **form.cleaned_data)
    except first.NotFirst:
        return _ended(request)
    request.session.flush()
    return redirect("account_login")
