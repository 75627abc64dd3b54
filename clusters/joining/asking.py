"""What is shown to somebody who lets the console in: the manifest's address, two commands, and the rules with reasons."""

import re
import shlex
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clusters.joining import manifest
from clusters.joining.manifest import ABOUT, DURATION, FILE, NAME, NAMESPACE, RENEWING, Options
from credentials import published

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._:/+#-]{0,255}")
_SAID = {"yes": True, "no": False}


class NoOption(ValueError):
    """What the address asks for is none of the manifest's options; the message says which there are."""


def options(query: dict[str, str]) -> Options:
    """Return what an address asks for.

    :raises NoOption: something else
    """
    if query.keys() - {"namespace", "operator", "renew", "user", "group"}:
        raise NoOption("There are the options namespace, operator, renew, user and group, and no others.")
    namespace = query.get("namespace", Options().namespace)
    if not _NAMESPACE.fullmatch(namespace):
        raise NoOption("namespace is to be the name of the operator's namespace.")
    answers = {name: query.get(name, "yes") for name in ("operator", "renew")}
    for name, answer in answers.items():
        if answer not in _SAID:
            raise NoOption(f"{name} is yes or no.")
    operator, renew = (_SAID[answers[name]] for name in ("operator", "renew"))
    return replace(_subject(query), namespace=namespace, operator=operator, renew=renew)


def _subject(query: dict[str, str]) -> Options:
    """Return options with the user or the group that gets the roles instead of a ServiceAccount."""
    named = {name: query[name] for name in ("user", "group") if name in query}
    if len(named) > 1:
        raise NoOption("The roles are for a user or for a group, not for both.")
    for name, value in named.items():
        # Nobody is to be talked into giving them to everybody who is signed in.
        if not _SUBJECT.fullmatch(value) or value.startswith("system:"):
            raise NoOption(
                f"{name} is to be a name as the cluster knows it, none of its own that begin with system:."
            )
    return Options(user=named.get("user", ""), group=named.get("group", ""))


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Answer the manifest with the options of the address, for everybody: nothing in it is a secret."""
    try:
        text, status = manifest.text(options(request.GET.dict())), 200
    except NoOption as error:
        text, status = f"# {error}\n", 400
    headers = {"X-Content-Type-Options": "nosniff"} | (
        {"Cache-Control": published.CACHED} if status == 200 else {}
    )
    return HttpResponse(text, content_type="text/yaml; charset=utf-8", status=status, headers=headers)


def address(chosen: Options) -> str:
    """Return where the manifest is, with every option that is not the usual one."""
    usual, query = Options(), {}
    if chosen.namespace != usual.namespace:
        query["namespace"] = chosen.namespace
    query |= {name: getattr(chosen, name) for name in ("user", "group") if getattr(chosen, name)}
    query |= {name: "no" for name in ("operator", "renew") if not getattr(chosen, name)}
    return f"{settings.BASE_URL.rstrip('/')}/setup/{FILE}" + (f"?{urlencode(query)}" if query else "")


def apply_command(chosen: Options) -> str:
    """Return the line that makes the ServiceAccount in the cluster of the current context."""
    return f"curl -fsSL {shlex.quote(address(chosen))} | kubectl apply -f -"


def _token() -> str:
    return f"kubectl -n {NAMESPACE} create token {NAME} --duration={DURATION}"


def kubeconfig_command() -> str:
    """Return lines for any POSIX shell that print a kubeconfig of the ServiceAccount, and keep nothing on the disk.

    The server and its CA are those of the current context; where that has no CA of its own, the cluster's.
    """
    view = "kubectl config view --minify --raw --flatten -o jsonpath="
    document = (
        "{apiVersion: v1, kind: Config, current-context: keyhaven,\\n"
        ' clusters: [{name: keyhaven, cluster: {server: "%s", certificate-authority-data: "%s"%s}}],\\n'
        " contexts: [{name: keyhaven, context: {cluster: keyhaven, user: keyhaven}}],\\n"
        ' users: [{name: keyhaven, user: {token: "%s"}}]}\\n'
    )
    return "\n".join(
        [
            f"SERVER=$({view}'{{.clusters[0].cluster.server}}')",
            f"CA=$({view}'{{.clusters[0].cluster.certificate-authority-data}}')",
            f'[ -n "$CA" ] || CA=$(kubectl -n {NAMESPACE} get configmap kube-root-ca.crt '
            "-o jsonpath='{.data.ca\\.crt}' | base64 | tr -d '\\n')",
            f"TLS=$({view}'{{.clusters[0].cluster.tls-server-name}}')",
            f"TOKEN=$({_token()}) && \\",
            f"  printf '{document}' \\",
            '    "$SERVER" "$CA" "${TLS:+, tls-server-name: \\"$TLS\\"}" "$TOKEN"',
        ]
    )


def context(namespace: str = "") -> dict[str, Any]:
    """Return what clusters/join.html shows, for an operator in a namespace."""
    chosen = Options(namespace or settings.OPERATOR_NAMESPACE)
    found = manifest.rules(chosen)
    parts = [
        {"name": part.value, "about": ABOUT[part], "rules": [rule for rule in found if rule.part == part]}
        for part in chosen.parts
    ]
    parts.append({"name": manifest.RENEW.part, "about": RENEWING, "rules": [manifest.RENEW]})
    return {
        "url": address(chosen),
        "apply": apply_command(chosen),
        "apply_without_operator": apply_command(Options(chosen.namespace, operator=False)),
        "kubeconfig": kubeconfig_command(),
        "namespace": NAMESPACE,
        "name": NAME,
        "parts": parts,
    }
