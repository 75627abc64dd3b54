"""Connecting a cluster: kubeconfig, perhaps a context, the test's result, a name."""

import datetime
import uuid
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import kubeconfig, kubernetes, services
from clusters.forms import ContextForm, KubeconfigForm, NameForm
from clusters.models import Cluster, ConnectDraft
from config import pages


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def start(request: OrgRequest) -> HttpResponse:
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
            # A person has one at a time, and a forgotten one does not keep a kubeconfig for long.
            mine = Q(organization=request.organization, by=request.user)
            forgotten = Q(created_at__lt=timezone.now() - datetime.timedelta(days=1))
            ConnectDraft.objects.filter(mine | forgotten).delete()
            draft = ConnectDraft.objects.create(
                organization=request.organization, by=request.user, kubeconfig=text, contexts=contexts
            )
            kwargs = {"org": request.organization.slug, "draft": draft.pk}
            return pages.go_to(request, reverse("clusters:connect_draft", kwargs=kwargs))
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "clusters/connect.html", {"form": form}, status=status)


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
    context: dict[str, Any] = {"server": kubeconfig.server(draft.kubeconfig)}
    form = NameForm(request.POST if request.method == "POST" else None)
    try:
        if form.is_valid() and _may_be_called(request, form):
            cluster = services.connect(draft=draft, name=form.cleaned_data["name"], by=request.user)
            return _connected(request, cluster)
        context["test"] = services.try_connection(draft.kubeconfig)
    except services.NameTaken as error:
        form.add_error("name", str(error))
        context["test"] = services.try_connection(draft.kubeconfig)
    except kubernetes.ClusterError as error:
        context["failure"] = error
    context["form"] = form
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "clusters/connect_test.html", context, status=status)
