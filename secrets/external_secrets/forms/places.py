"""Choosing where a link goes: a service or a namespace, a container or all."""

from typing import Any, cast

from django import forms

from accesses.forms import ChoiceField
from accesses.models import Access
from clusters.models import Service
from external_secrets import placing
from external_secrets.limits import Limits

# A container's name has no asterisk.
EVERY = "*"


def value_of(place: placing.Place) -> str:
    """Return what the form's place field holds for a service's place."""
    return f"{place.service.pk}:{place.container or EVERY}" if place.service else ""


def places(access: Access, found: list[Service]) -> list[tuple[str, str]]:
    """Return every container of the services as (what the form sends, what a person reads)."""
    return [
        (f"{service.pk}:{name}", _label(access, service, name))
        for service in found
        for name in [*service.container_names, *([EVERY] if len(service.containers) > 1 else [])]
    ]


def _label(access: Access, service: Service, container: str) -> str:
    label = f"{service.name} ({service.kind})"
    if container == EVERY:
        label = f"{service.name}, every container ({service.kind})"
    elif len(service.containers) > 1:
        label = f"{service.name}, container {container} ({service.kind})"
    refusal = placing.why_not(access, placing.Place.of(service))
    return f"{label}: {refusal}" if refusal else label


class PlaceSelect(forms.Select):
    """A select whose places that cannot use the access stay visible, and say why."""

    closed: frozenset[str] = frozenset()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.closed:
            option["attrs"]["disabled"] = True
        return option


class PlaceForm(forms.Form):
    """Where it goes. The clean value is `target_place`."""

    scope = ChoiceField(
        label="Who gets it", required=False, choices=[("service", "A service"), ("namespace", "A namespace")]
    )
    place = forms.CharField(label="Service", widget=PlaceSelect, required=False)
    namespace = forms.CharField(label="Namespace", widget=PlaceSelect, required=False)

    access: Access
    services: list[Service]
    # Those of the one who fills it in, where there are any.
    limits: Limits | None = None

    def prepare(self, access: Access, around: list[Service]) -> None:
        """Offer the places of an access's cluster; those that may not use the access say so."""
        self.access, self.services = access, around
        scope = cast(ChoiceField, self.fields["scope"])
        scope.consequences = {
            "service": "Only this service gets it.",
            "namespace": "Every service there gets it, later ones with the deploy that follows; it is read once for all of them.",
        }
        scope.widget.is_required = True
        self._offer_services()
        self._offer_namespaces()
        self.fields["place"].one_of = self.fields["namespace"].one_of = True  # type: ignore[attr-defined]

    def _offer_services(self) -> None:
        by_namespace: dict[str, list[Service]] = {}
        for service in self.services:
            by_namespace.setdefault(service.namespace, []).append(service)
        select = cast(PlaceSelect, self.fields["place"].widget)
        groups = [(name, places(self.access, found)) for name, found in by_namespace.items()]
        select.choices = [("", "Choose a service"), *groups]
        closed = [one for one in self.services if placing.why_not(self.access, placing.Place.of(one))]
        select.closed = frozenset(value for value, _ in places(self.access, closed))

    def _offer_namespaces(self) -> None:
        reached = [name for name in self.access.namespaces if self.limits is None or self.limits.opens(name)]
        counts = dict.fromkeys(sorted(reached), 0)
        for service in self.services:
            counts[service.namespace] = counts.get(service.namespace, 0) + 1
        select = cast(PlaceSelect, self.fields["namespace"].widget)
        choices = []
        for name, count in counts.items():
            words = f"{name} ({count} service{'' if count == 1 else 's'} now)"
            closed = name not in self.access.namespaces
            choices.append((name, f"{words}: {self.access} is not open to it" if closed else words))
        select.choices = [("", "Choose a namespace"), *choices]
        select.closed = frozenset(set(counts) - set(self.access.namespaces))

    def clean_scope(self) -> str:
        return self.cleaned_data["scope"] or "service"

    def clean_place(self) -> str:
        value: str = self.cleaned_data["place"]
        if self.cleaned_data.get("scope") != "service":
            return value
        if not value:
            raise forms.ValidationError("Choose the service that gets it.")
        wanted, _, container = value.partition(":")
        service = next((service for service in self.services if str(service.pk) == wanted), None)
        if service is None:
            raise forms.ValidationError("This service is not on the cluster any more; choose another.")
        refusal = placing.why_not(self.access, placing.Place.of(service))
        if refusal:
            raise forms.ValidationError(f"{refusal}.")
        if container != EVERY and service.container(container) is None:
            raise forms.ValidationError(f"{service} has no container {container}; choose another.")
        self.cleaned_data |= {"service": service, "container": "" if container == EVERY else container}
        return value

    def clean_namespace(self) -> str:
        value: str = self.cleaned_data["namespace"]
        if self.cleaned_data.get("scope") != "namespace":
            return value
        if not value:
            raise forms.ValidationError("Choose the namespace whose services get it.")
        if value not in self.access.namespaces:
            raise forms.ValidationError(f"{self.access} is not open to the namespace {value}.")
        return value

    @property
    def target_place(self) -> placing.Place | None:
        """Where it goes, None while that is not right."""
        values = self.cleaned_data
        if values.get("scope") == "namespace":
            found = values.get("namespace")
            return placing.Place(self.access.cluster, found, limits=self.limits) if found else None
        if "service" not in values:
            return None
        return placing.Place.of(values["service"], values["container"], self.limits)

    @property
    def closed(self) -> list[Service]:
        """The services that may not use the access."""
        return [one for one in self.services if placing.why_not(self.access, placing.Place.of(one))]
