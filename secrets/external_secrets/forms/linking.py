"""The form of one link."""

from typing import Any, cast

from django import forms

from accesses.models import Access
from clusters.models import Service
from external_secrets import services
from external_secrets.models import variable_rule

REFRESH = (
    (300, "5 minutes"),
    (900, "15 minutes"),
    (3600, "1 hour"),
    (21600, "6 hours"),
    (86400, "24 hours"),
)

DEFAULT_REFRESH = 3600


def places(access: Access, found: list[Service]) -> list[tuple[str, str]]:
    """Return every container of the services as (what the form sends, what a person reads)."""
    return [
        (f"{service.pk}:{name}", _label(access, service, name))
        for service in found
        for name in service.container_names
    ]


def _label(access: Access, service: Service, container: str) -> str:
    label = f"{service.name} ({service.kind})"
    if len(service.containers) > 1:
        label = f"{service.name}, container {container} ({service.kind})"
    refusal = services.why_not(access, services.Place.of(service))
    return f"{label}: {refusal}" if refusal else label


class PlaceSelect(forms.Select):
    """A select whose services that cannot use the access stay visible, and say why."""

    closed: frozenset[str] = frozenset()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.closed:
            option["attrs"]["disabled"] = True
        return option


class LinkForm(forms.Form):
    """One name to one variable of one container. Clean values: service, container and the link's own fields."""

    key = forms.CharField(
        label="Secret",
        max_length=2048,
        help_text="A name or an ARN.",
        error_messages={"required": "Enter the name or the ARN of a secret."},
    )
    place = forms.CharField(
        label="Service",
        widget=PlaceSelect,
        error_messages={"required": "Choose the service that gets the variable."},
    )
    variable = forms.CharField(
        label="Variable",
        max_length=200,
        help_text="The name under which the service sees the value.",
        error_messages={"required": "Enter the variable's name."},
    )
    json_field = forms.CharField(
        label="JSON field",
        required=False,
        max_length=300,
        help_text="Take one field of a JSON value, such as password or db.password; empty takes the whole value.",
    )
    version = forms.CharField(
        label="Version",
        required=False,
        max_length=100,
        help_text="A staging label such as AWSPREVIOUS, or uuid/ and a version's id; empty follows the current one.",
    )
    refresh_seconds = forms.TypedChoiceField(
        label="Read again every",
        choices=REFRESH,
        coerce=int,
        required=False,
        help_text="How soon a changed value reaches the cluster.",
    )

    def __init__(self, access: Access, around: list[Service], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access = access
        self.services = around
        select = cast(PlaceSelect, self.fields["place"].widget)
        by_namespace: dict[str, list[Service]] = {}
        for service in around:
            by_namespace.setdefault(service.namespace, []).append(service)
        groups = [(namespace, places(access, found)) for namespace, found in by_namespace.items()]
        select.choices = [("", "Choose a service"), *groups]
        closed = [service for service in around if services.why_not(access, services.Place.of(service))]
        select.closed = frozenset(value for value, _ in places(access, closed))
        for name in ("key", "variable", "json_field", "version"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_place(self) -> str:
        value: str = self.cleaned_data["place"]
        wanted, _, container = value.partition(":")
        service = next((service for service in self.services if str(service.pk) == wanted), None)
        if service is None:
            raise forms.ValidationError("This service is not on the cluster any more; choose another.")
        refusal = services.why_not(self.access, services.Place.of(service))
        if refusal:
            raise forms.ValidationError(f"{refusal}.")
        if service.container(container) is None:
            raise forms.ValidationError(f"{service} has no container {container}; choose another.")
        self.cleaned_data |= {"service": service, "container": container}
        return value

    def clean_variable(self) -> str:
        variable: str = self.cleaned_data["variable"]
        try:
            variable_rule(variable)
        except forms.ValidationError as error:
            raise forms.ValidationError(f"{variable} is not a legal name. {error.message}") from error
        return variable

    def clean_version(self) -> str:
        version: str = self.cleaned_data["version"]
        if version.startswith("uuid/") and not 32 <= len(version.removeprefix("uuid/")) <= 64:
            raise forms.ValidationError("After uuid/ comes a version's id, which has 32 to 64 characters.")
        return version

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if {"service", "variable"} <= values.keys():
            source = services.clash_with(self.target_place, values["variable"])
            if source:
                self.add_error("variable", services.clash_text(self.target_place, values, source))
        return values

    @property
    def target_place(self) -> services.Place:
        """Where the link goes."""
        return services.Place.of(self.cleaned_data["service"], self.cleaned_data["container"])

    @property
    def link_values(self) -> dict[str, Any]:
        """The clean values that a link is made of."""
        names = ("key", "variable", "json_field", "version", "refresh_seconds")
        values = {name: self.cleaned_data[name] for name in names}
        return values | {"refresh_seconds": values["refresh_seconds"] or DEFAULT_REFRESH}
