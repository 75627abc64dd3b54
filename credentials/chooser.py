"""The field that chooses one of an organization's cloud credentials in place of typed keys."""

from typing import TYPE_CHECKING

from django import forms

from accounts.models import Organization
from credentials import clouds
from credentials.models import CloudCredential

if TYPE_CHECKING:
    _Base = forms.ModelChoiceField[CloudCredential]
else:
    _Base = forms.ModelChoiceField


class CloudCredentialField(_Base):
    """Offers nothing until `offer` says whose and of which cloud; what is not offered is refused."""

    def __init__(self, label: str, otherwise: str) -> None:
        super().__init__(
            CloudCredential.objects.none(),
            label=label,
            required=False,
            empty_label=otherwise,
            to_field_name="name",
            help_text="Or a cloud credential of the organization: when it is replaced, this access follows.",
        )

    def offer(self, organization: Organization, cloud: str, only: str | None = None) -> None:
        """Offer the credentials of one cloud that an organization has; with `only` none but the one of that name."""
        methods = [method.slug for method in clouds.CLOUDS[cloud].methods if method.for_accesses]
        owned = CloudCredential.objects.owned_by(organization).filter(cloud=cloud, method__in=methods)
        self.queryset = owned if only is None else owned.filter(name=only)

    def label_from_instance(self, obj: CloudCredential) -> str:
        return f"{obj.name} · {obj.identity}"
