"""The wizard's own forms and fields; a provider brings the rest itself."""

from typing import Any

from django import forms

from accesses import situations, writing
from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS, ConfigurationForm, Method, Provider, Situation
from accesses.providers.addresses import AddressField
from accounts import tags
from accounts.naming import TypedNameForm, name_rule
from clusters.models import Cluster


class ChoiceField(forms.ChoiceField):
    """Radio cards, each with the line of consequence that helps to choose."""

    widget = forms.RadioSelect
    consequences: dict[str, str]


class ProviderForm(forms.Form):
    """Which secret manager."""

    provider = ChoiceField(
        label="Which secret manager?", error_messages={"required": "Choose a secret manager."}
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        _offer(self.fields["provider"], {p.slug: (p.label, p.sentence) for p in PROVIDERS.values()})


class MethodForm(forms.Form):
    """How the cluster signs in; what is not possible is offered with the reason, and refused."""

    method = ChoiceField(error_messages={"required": "Choose how the cluster signs in."})

    def __init__(self, provider: Provider, situation: Situation, data: Any = None, chosen: str = "") -> None:
        self.offers = [(method, method.obstacle(situation)) for method in provider.methods]
        possible = [method.slug for method, obstacle in self.offers if obstacle is None]
        super().__init__(data, initial={"method": chosen if chosen in possible else next(iter(possible), "")})
        self.fields["method"].label = f"How does the cluster sign in to {provider.label}?"
        _offer(self.fields["method"], {m.slug: (m.label, m.consequence) for m in provider.methods})

    def clean_method(self) -> str:
        slug: str = self.cleaned_data["method"]
        obstacle = next(obstacle for method, obstacle in self.offers if method.slug == slug)
        if obstacle is not None:
            raise forms.ValidationError(f"{obstacle.reason} {obstacle.remedy}")
        return slug


def _offer(field: Any, options: dict[str, tuple[str, str]]) -> None:
    field.choices = [(slug, label) for slug, (label, _) in options.items()]
    field.consequences = {slug: consequence for slug, (_, consequence) in options.items()}


def namespaces_of(cluster: Cluster) -> list[str]:
    """Return the namespaces in which the cluster has services."""
    found = cluster.services.filter(gone_at=None).order_by("namespace")
    return list(found.values_list("namespace", flat=True).distinct())


def _namespaces_field(cluster: Cluster, chosen: list[str]) -> forms.Field:
    names = sorted({*namespaces_of(cluster), *chosen})
    return forms.MultipleChoiceField(
        label="Namespaces that may use it",
        choices=[(name, name) for name in names],
        widget=forms.CheckboxSelectMultiple,
        help_text="The operator refuses external secrets of all other namespaces. "
        "Namespaces appear here once they have a service.",
        error_messages={
            "required": "Choose at least one namespace; nobody else in the cluster can use the store."
        },
    )


def _name_field(cluster: Cluster) -> forms.Field:
    def free(name: str) -> None:
        if name in ("new", "policy"):
            raise forms.ValidationError(f"The name {name} is taken by a page; choose another.")
        # Every validator is asked, also after the one that refuses NUL, which PostgreSQL does not take.
        if "\x00" not in name and Access.objects.filter(cluster=cluster, name=name).exists():
            raise forms.ValidationError(f"{cluster} already has an access named {name}.")

    return forms.CharField(
        label="Name",
        max_length=40,
        validators=[name_rule, free],
        error_messages={"required": "Enter a name for this access."},
        help_text="Part of the store's name in the cluster, for example aws-prod. It stays as it is.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def suggested_name(draft: AccessDraft) -> str:
    """Return a name that the cluster does not have yet, after the provider: `aws`, `aws-2`."""
    taken = set(draft.cluster.accesses.values_list("name", flat=True))
    base = _base_name(draft.provider)
    names = [base, *(f"{base}-{number}" for number in range(2, 100))]
    return next((name for name in names if name not in taken), "")


def _base_name(provider: str) -> str:
    """Return the first word of a provider's name, or all of it where another one has that word first."""
    word = provider.partition("-")[0]
    first = next((slug for slug in PROVIDERS if slug.partition("-")[0] == word), provider)
    return word if first == provider and len(provider) > 10 else provider


def details_form(
    draft: AccessDraft,
    method: Method,
    data: Any = None,
    files: Any = None,
    *,
    sees_credentials: bool = True,
) -> ConfigurationForm:
    """Return the form of the wizard's third step: name, the provider's own fields, namespaces."""
    around = namespaces_of(draft.cluster)
    initial = draft.configuration | {
        "name": draft.name or suggested_name(draft),
        "namespaces": draft.namespaces or around,
        **_aside(draft),
    }
    situation = situations.of(draft.cluster, draft.provider, sees_credentials=sees_credentials)
    form = method.form(data, files, initial=initial, stored=draft.credential or (), situation=situation)
    _keep_to_provider(form, draft, method)
    form.add_fields(
        {"name": _name_field(draft.cluster)},
        {"namespaces": _namespaces_field(draft.cluster, draft.namespaces)},
    )
    return form


def _aside(row: Access | AccessDraft) -> dict[str, Any]:
    """Return what the row holds beside configuration and credential, as the form's fields take it."""
    named = row.cloud_credential.name if row.cloud_credential else ""
    return {
        "cloud_credential": named,
        "expires_at": row.expires_at,
        "prefix": row.prefix,
        "tags": tags.as_lines(row.tags),
        "only_tagged": row.only_tagged,
        "refresh_seconds": row.refresh_seconds or "",
    }


def close_fields(form: ConfigurationForm, provider: Provider) -> None:
    """Close the fields that mean nothing to a secret manager: they stay in sight, and say why."""
    why = {} if provider.references.tags_listed else {"only_tagged": "lists names without their tags"}
    if not writing.has_tags(provider):
        why["tags"] = "has no tags"
    for name, reason in why.items():
        form.fields[name].disabled = True
        form.fields[name].help_text = f"{provider.label} {reason}."


def _keep_to_provider(form: ConfigurationForm, row: Access | AccessDraft, method: Method) -> None:
    """Take only tags that the secret manager takes, and limit nothing to tags that it does not list."""
    close_fields(form, PROVIDERS[row.provider])

    def check(filled: ConfigurationForm) -> None:
        tried = Access(cluster=row.cluster, provider=row.provider, method=method.slug)
        tried.configuration = filled.so_far()
        writing.check_default_tags(tried, filled.cleaned_data["tags"])

    form.check_tags = check


def edit_form(
    access: Access, method: Method, data: Any = None, files: Any = None, *, sees_credentials: bool = True
) -> ConfigurationForm:
    """Return the form that changes an access, perhaps to another method: all but its name."""
    initial = access.configuration | {"namespaces": access.namespaces} | _aside(access)
    stored = (access.credential or ()) if method.slug == access.method else ()
    situation = situations.of(access.cluster, access.provider, access, sees_credentials=sees_credentials)
    form = method.form(data, files, initial=initial, stored=stored, situation=situation)
    form.entered_for = access.configuration
    _keep_to_provider(form, access, method)
    form.add_fields({}, {"namespaces": _namespaces_field(access.cluster, access.namespaces)})
    return form


class EndpointForm(forms.Form):
    """What answers in place of AWS for all AWS accesses of a cluster."""

    endpoint = AddressField(
        label="AWS-compatible endpoint",
        example="https://secrets.example.com",
        required=False,
        help_text="Answers for Secrets Manager, Parameter Store and STS. Empty is AWS itself.",
    )


class DeleteForm(TypedNameForm):
    noun = "access"
