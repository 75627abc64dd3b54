"""What a form that is filled in makes of a draft or of an access, for the pages and the API alike."""

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accesses import identities, situations, trials, wanted
from accesses.models import Access, AccessDraft
from accesses.providers import ConfigurationForm, Method


@sensitive_variables()
def answer(draft: AccessDraft, form: ConfigurationForm) -> None:
    """Keep on the draft what was entered; what was tested before is to be tested anew."""
    draft.name, draft.namespaces = form.cleaned_data["name"], form.cleaned_data["namespaces"]
    draft.configuration = form.configuration()
    for name, value in form.aside().items():
        setattr(draft, name, value)
    keep_credential(draft, form)
    draft.save(force_update=True)


@sensitive_variables()
def keep_credential(draft: AccessDraft, form: ConfigurationForm) -> None:
    """Put on the draft what was typed of a credential; what was tested before is to be tested anew."""
    credential = form.credential(draft.credential)
    if credential != draft.credential:
        draft.credential, draft.credential_set_at = credential, timezone.now()
    draft.result, draft.tested_at = {}, None


@sensitive_variables()
def values_of(access: Access, method: Method, form: ConfigurationForm) -> wanted.Values:
    """Return what an access is to be; keys that are left blank stay, unless it signs in otherwise from now on."""
    kept = access.credential if method.slug == access.method else None
    return wanted.Values(
        method=method.slug,
        configuration=form.configuration(),
        credential=form.credential(kept),
        namespaces=form.cleaned_data["namespaces"],
        **form.aside(),
    )


def keep_rules(access: Access, method: Method) -> None:
    """Refuse another method that is not possible before anything is asked of the cluster or the cloud.

    :raises situations.NotPossible: with the reason and the remedy
    """
    if method.slug == access.method:
        return
    obstacle = method.obstacle(situations.of(access.cluster, access.provider, but=access))
    if obstacle is not None:
        raise situations.NotPossible(obstacle)


def try_values(access: Access, values: wanted.Values) -> trials.Result:
    """Test the new values as the access itself, whose row stays as it is."""
    tried = Access(pk=access.pk, cluster=access.cluster, provider=access.provider, name=access.name)
    made = values.method == access.method and identities.are_made(access)
    return trials.try_access(values.put(tried), made=made)
