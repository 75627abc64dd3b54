"""Connecting a cluster: how it is reached, a kubeconfig and perhaps a context, the test's result, a name."""

import datetime
import uuid
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_variables

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import finding, joining, kubeconfig, kubernetes, services
from clusters.forms import ContextForm, KubeconfigForm, NameForm, WayForm
from clusters.models import Cluster, ConnectDraft
from clusters.services import entering
from clusters.services.entering import Entrance
from config import pages
from credentials import clouds
from credentials.clouds.base import Found
from credentials.clouds.errors import ProviderError
from credentials.models import CloudCredential


def usable(request: OrgRequest) -> QuerySet[CloudCredential]:
    """Return the cloud credentials that may be seen and that find clusters."""
    owned = CloudCredential.objects.within(
        request.organization, request.authority, Permission.CREDENTIAL_VIEW
    )
    return owned.filter(cloud__in=finding.CLOUDS)


@org_view(Permission.CLUSTER_MANAGE, dangerous=True)
def choose(request: OrgRequest) -> HttpResponse:
    """Ask how the cluster is reached, and lead to the page that goes on."""
    may = request.allows(Permission.CREDENTIAL_VIEW)
    some = may and usable(request).exists()
    form = WayForm(
        request.GET if "by" in request.GET else None,
        initial={"by": WayForm.CREDENTIAL if some else WayForm.KUBECONFIG},
    )
    if form.is_valid():
        kwargs = {"org": request.organization.slug}
        return pages.go_to(request, reverse(f"clusters:connect_{form.cleaned_data['by']}", kwargs=kwargs))
    finders = [(cloud.label, cloud.finder.label) for cloud in clouds.CLOUDS.values() if cloud.finder]
    context = {
        "form": form,
        "finders": finders,
        "some": some,
        "may_see": may,
        "who_may_see": who_may(Permission.CREDENTIAL_VIEW),
    }
    return pages.render_page(
        request, "clusters/connect_way.html", context, status=422 if form.is_bound else 200
    )


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def by_kubeconfig(request: OrgRequest) -> HttpResponse:
    """Take a kubeconfig, keep it encrypted in a draft, go on to its test."""
    form = KubeconfigForm(request.POST, request.FILES) if request.method == "POST" else KubeconfigForm()
    if form.is_valid():
        text, contexts = form.cleaned_data["text"], []
        try:
            text = kubeconfig.reduce(text)
        except kubeconfig.SeveralContexts as error:
            contexts = error.names
        except kubeconfig.KubeconfigRefused as error:
            form.add_error("kubeconfig", str(error))
        if not form.errors:
            return begin(request, kubeconfig=text, contexts=contexts)
    status = 422 if form.is_bound else 200
    shown = {"form": form, "joining": joining.context()}
    return pages.render_page(request, "clusters/connect.html", shown, status=status)


@sensitive_variables()
def begin(request: OrgRequest, **values: Any) -> HttpResponse:
    """Keep what somebody is about to connect in a draft, and go on to its test."""
    # A person has one at a time, and a forgotten one does not keep a kubeconfig for long.
    mine = Q(organization=request.organization, by=request.user)
    forgotten = Q(created_at__lt=timezone.now() - datetime.timedelta(days=1))
    ConnectDraft.objects.filter(mine | forgotten).delete()
    draft = ConnectDraft.objects.create(organization=request.organization, by=request.user, **values)
    kwargs = {"org": request.organization.slug, "draft": draft.pk}
    return pages.go_to(request, reverse("clusters:connect_draft", kwargs=kwargs))


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def go_on(request: OrgRequest, draft: uuid.UUID) -> HttpResponse:
    """Ask for the context if there are several, then show the test's result and ask for a name."""
    drafts = ConnectDraft.objects.within(request.organization, request.authority, Permission.CLUSTER_MANAGE)
    found = get_object_or_404(drafts, pk=draft, by=request.user)
    if found.cluster is not None:
        return _connected(request, found.cluster)
    return _choose(request, found) if found.contexts else _test(request, found)


def _connected(request: OrgRequest, cluster: Cluster) -> HttpResponse:
    pages.toast(request, f"{cluster.name} is connected.")
    kwargs = {"org": request.organization.slug, "cluster": cluster.name}
    return pages.go_to(request, reverse("clusters:overview", kwargs=kwargs))


def _choose(request: OrgRequest, draft: ConnectDraft) -> HttpResponse:
    form = ContextForm(request.POST if request.method == "POST" else None, draft.contexts)
    if form.is_valid():
        try:
            draft.kubeconfig = kubeconfig.reduce(draft.kubeconfig, form.cleaned_data["context"])
        except kubeconfig.KubeconfigRefused as error:
            form.add_error("context", str(error))
        else:
            draft.contexts = []
            draft.save()
            return pages.go_to(request, request.path)
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "clusters/connect.html", {"context_form": form}, status=status)


def _may_be_called(request: OrgRequest, form: NameForm) -> bool:
    """Tell whether the roles of the one who connects it cover a cluster of that name; else the form says so."""
    name = form.cleaned_data["name"]
    if request.allows(Permission.CLUSTER_MANAGE, cluster=name):
        return True
    form.add_error("name", f"Your roles do not cover a cluster named {name}; choose a name that they cover.")
    return False


def _test(request: OrgRequest, draft: ConnectDraft) -> HttpResponse:
    """Test at each visit: a person who repaired something just reloads."""
    form = NameForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _may_be_called(request, form):
        try:
            return _connected(
                request, services.connect(draft=draft, name=form.cleaned_data["name"], by=request.user)
            )
        except services.NameTaken as error:
            form.add_error("name", str(error))
        except services.AlreadyConnected as error:
            form.add_error(None, already(request, error.other))
        except services.WrongAccount as error:
            form.add_error(None, str(error))
        except (kubernetes.ClusterError, ProviderError):
            # The test below says it, with what helps.
            pass
    context = _tried(request, draft) | {"draft": draft, "form": form}
    context["back"] = _back(request, draft, context.get("found"))
    if not form.is_bound and "found" in context:
        form.initial["name"] = _suggested(request, draft, context["found"].name)
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "clusters/connect_test.html", context, status=status)


def _back(request: OrgRequest, draft: ConnectDraft, found: Found | None) -> str:
    """Return the page that comes before the test."""
    kwargs = {"org": request.organization.slug}
    if draft.credential is None:
        return reverse("clusters:connect_kubeconfig", kwargs=kwargs)
    wanted = {"credential": draft.credential.name}
    if clouds.CLOUDS[draft.credential.cloud].finder and finding.places(draft.credential):
        # Where it was not described, what finds it again tells the place too.
        wanted |= {"place": found.place if found else draft.locator.get("region", "")}
    return f"{reverse('clusters:connect_found', kwargs=kwargs)}?{urlencode(wanted)}"


def already(request: OrgRequest, other: Cluster | None) -> str:
    """Return in words that a cluster is connected, with its name for whoever may see it."""
    if other is None:
        return "Somebody connected this cluster just now."
    if request.allows(Permission.CLUSTER_VIEW, cluster=other.name):
        return f"This cluster is connected already, as {other.name}."
    return "This cluster is connected already, under a name that your roles do not cover."


def _tried(request: OrgRequest, draft: ConnectDraft) -> dict[str, Any]:
    """Return what a test shows: the cluster and what we may do there, or what failed and what helps."""
    context: dict[str, Any] = {"server": ""}
    entrance = None
    try:
        entrance = entering.of(draft)
        context["server"] = kubeconfig.server(entrance.kubeconfig)
        context["test"] = entering.look(entrance.open(), entrance)
    except (kubernetes.ClusterError, ProviderError) as error:
        context |= {"failure": error, "policy": getattr(error, "policy", "")}
    return context | (_found(request, entrance, context) if entrance else {})


def _found(request: OrgRequest, entrance: Entrance, context: dict[str, Any]) -> dict[str, Any]:
    """Return what the cloud tells of a found cluster, and how its identity gets in where it is not let in."""
    if entrance.credential is None or entrance.found is None:
        return {}
    strange = isinstance(context.get("failure"), kubernetes.Unauthorized | kubernetes.Forbidden)
    denied = "test" in context and context["test"].denied
    cards = finding.admission(entrance.credential, entrance.found) if strange or denied else ()
    return {"found": entrance.found, "cards": cards, "credential": entrance.credential}


def _suggested(request: OrgRequest, draft: ConnectDraft, name: str) -> str:
    """Return the cloud's name for a cluster where it may be its name here too, else nothing."""
    legal = NameForm({"name": name}).is_valid() and request.allows(Permission.CLUSTER_MANAGE, cluster=name)
    return name if legal and services.is_free(draft, name) else ""
