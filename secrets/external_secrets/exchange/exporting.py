"""A cluster's configuration as plain External Secrets Operator YAML that somebody else's tool can own."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from accesses import manifests as marks
from accesses import variants
from accesses.models import Access, StoreVariant
from accounts.audit import services as audit
from accounts.authority import Authority, built_in
from accounts.models import User
from accounts.roles import Permission, Role
from clusters.models import Cluster
from external_secrets import manifests
from external_secrets.exchange import patches, reading
from external_secrets.exchange.patches import Consumer
from external_secrets.models import ExternalSecret

Takes, Target = ExternalSecret.Takes, ExternalSecret.Target
# Who asks for it on the console's own behalf sees everything.
EVERYTHING = Authority(((built_in(Role.OWNER),),))
# A line of the file for everything that a person has to know before applying it.
HEADER = """\
# {cluster}: external secrets for the External Secrets Operator, as Keyhaven would deploy them.
# Apply with: kubectl apply --server-side -f FILE
# No value of a secret is in this file. Where a store signs in by a Secret, make that Secret first.
# Once another tool applies this, remove the links in Keyhaven and deploy: one of them at a time.
"""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of the export; `comment` stands above it, and without an object it is all there is."""

    kind: str
    name: str
    namespace: str = ""
    manifest: dict[str, Any] | None = None
    comment: str = ""

    @property
    def text(self) -> str:
        lines = "".join(f"# {line}\n" for line in self.comment.splitlines())
        return lines + (_dumped(self.manifest) if self.manifest else "")


@dataclass(slots=True)
class Export:
    """All documents, in an order that only changes with what is configured."""

    cluster: Cluster
    documents: list[Document] = field(default_factory=list)

    @property
    def text(self) -> str:
        return HEADER.format(cluster=self.cluster) + "".join(f"---\n{one.text}" for one in self.documents)

    @property
    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in self.documents:
            found[one.kind] = found.get(one.kind, 0) + (one.manifest is not None)
        return {kind: count for kind, count in found.items() if count}


# Line ends of other alphabets, and the mark of a byte order: only between double quotes do they come back as they were.
_ODD = re.compile("[\x85\u2028\u2029\ufeff]")


class _Dumper(yaml.SafeDumper):
    """Writes lists indented below their key and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _ODD.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _dumped(manifest: dict[str, Any]) -> str:
    return yaml.dump(
        manifest, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1000
    )


def export(cluster: Cluster, authority: Authority = EVERYTHING) -> Export:
    """Return a cluster's configuration as far as somebody may see it; by a constant number of queries.

    Without the right to see accesses the external secrets name their stores, which are not among the documents.
    """
    accesses = {
        one.pk: one
        for one in cluster.accesses.select_related("cloud_credential").prefetch_related(variants.prefetch())
    }
    seen = ExternalSecret.objects.filter(cluster=cluster).inside(authority, Permission.EXTERNAL_SECRET_VIEW)
    links = list(seen.select_related("variant", "service", "alias_of"))
    shown = accesses if authority.allows(Permission.ACCESS_VIEW, cluster=cluster.name) else {}
    used = {link.access_id for link in links}
    accesses = {pk: one for pk, one in accesses.items() if pk in used or pk in shown}
    for access in accesses.values():
        access.cluster = cluster
    for link in links:
        link.cluster, link.access = cluster, accesses[link.access_id]
    consumers = patches.consumers(links, cluster.services.filter(gone_at=None))
    names = _Names(list(accesses.values()), links, consumers)
    found = Export(cluster)
    for access in sorted(shown.values(), key=lambda one: one.name):
        found.documents += _stores(access, names)
    originals = [link for link in links if link.alias_of_id is None]
    externals = [_external_secret(link, names) for link in originals]
    found.documents += sorted(externals, key=lambda one: (one.namespace, one.name))
    found.documents += [
        Document(body["kind"], body["metadata"]["name"], body["metadata"]["namespace"], body)
        for body in patches.bodies(consumers, names.of_link)
    ]
    return found


def record(*, cluster: Cluster, found: Export, by: User) -> None:
    """Tell the audit log that somebody took the configuration away."""
    audit.record(
        organization=cluster.organization,
        by=by,
        action="cluster.exported",
        target=cluster,
        details={f"{kind} objects": count for kind, count in found.counts.items()},
    )


# -- names without our ids ---------------------------------------------------------------------------------
def _slug(words: str, longest: int = 50) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:longest].strip("-")


class _Names:
    """What objects are called in the export: told from what they are, and the same each time."""

    def __init__(
        self, accesses: list[Access], links: list[ExternalSecret], consumers: Mapping[Any, list[Consumer]]
    ) -> None:
        self._stores: dict[tuple[Any, Any], str] = {}
        self._links: dict[Any, str] = {}
        taken: set[tuple[str, str]] = set()
        for access in accesses:
            self._stores[access.pk, None] = _free(taken, "", access.name)
        for link in sorted(links, key=lambda one: (one.access.name, str(one.variant))):
            if link.variant is not None and (link.access_id, link.variant_id) not in self._stores:
                words = "-".join(filter(None, (link.access.name, *_facts(link.variant))))
                self._stores[link.access_id, link.variant_id] = _free(taken, "", _slug(words, 200))
        for link in sorted(links, key=lambda one: _content(one, consumers.get(one.pk, []))):
            if link.alias_of_id is None:
                words = link.variable or link.path.rpartition("/")[2] or link.key.rpartition("/")[2]
                self._links[link.pk] = _free(taken, link.namespace, _slug(words) or "secret")

    def of_store(self, access: Any, variant: Any) -> str:
        return self._stores[access, variant]

    def of_link(self, link: ExternalSecret) -> str:
        """Return the name of a link's ExternalSecret and Secret; an alias's is its original's."""
        return self._links[link.alias_of_id or link.pk]


def _facts(variant: StoreVariant) -> list[str]:
    """Return what sets a variant's store apart, short."""
    role = variant.role_arn.rpartition("/")[2]
    audience = hashlib.sha256(variant.audience.encode()).hexdigest()[:6] if variant.audience else ""
    return [variant.region, role, audience]


def _free(taken: set[tuple[str, str]], namespace: str, wanted: str) -> str:
    name, number = wanted, 2
    while (namespace, name) in taken:
        name, number = f"{wanted}-{number}", number + 1
    taken.add((namespace, name))
    return name


def _content(link: ExternalSecret, used: Iterable[Consumer]) -> str:
    """Return what orders links by what they bring where, whichever rows they are."""
    where = sorted((one.service.kind, one.service.name, one.container) for one in used)
    what = [link.namespace, where, link.variable, link.path, link.key, link.json_field, link.version]
    return json.dumps(
        [*what, link.access.name, link.takes, link.tags, str(link.variant or "")], sort_keys=True
    )


# -- stores --------------------------------------------------------------------------------------------------
def _stores(access: Access, names: _Names) -> Iterator[Document]:
    exported = {one.store_name: names.of_store(access.pk, one.pk) for one in variants.used(access)}
    exported[access.store_name] = names.of_store(access.pk, None)
    yield from _credential(access, exported[access.store_name])
    accounts = [made for made in marks.signing_in(access) if made["kind"] == "ServiceAccount"]
    for account in sorted(accounts, key=lambda one: str(one["metadata"]["name"])):
        yield _document(account, account["metadata"]["name"], _of_account(access))
    for store in sorted(marks.stores(access), key=lambda one: exported[one["metadata"]["name"]]):
        # Whoever names the Secret names it as the store, which is all of ours that a store refers to.
        renamed = _renamed(store["spec"], access.store_name, exported[access.store_name])
        yield _document(store | {"spec": renamed}, exported[store["metadata"]["name"]])


def _credential(access: Access, name: str) -> Iterator[Document]:
    """Yield the Secret that a store signs in by, as a comment: what is in it is nobody's to take away."""
    shown = marks.preview(access)[0]
    if shown["kind"] != "Secret":
        return
    namespace, keys = shown["metadata"]["namespace"], sorted(shown["data"])
    options = " ".join(f"--from-file={key}=PATH" for key in keys)
    yield Document(
        "Secret",
        name,
        namespace,
        comment=f"{access} signs in by the Secret {namespace}/{name} with {' and '.join(keys)}. Make it by hand:\n"
        f"kubectl create secret generic {name} --namespace {namespace} {options}",
    )


def _of_account(access: Access) -> str:
    words = "The cloud trusts this ServiceAccount by its name; keep it."
    if access.method == "automatic":
        words += "\nKeyhaven made the identity that it signs in as, and removes it with the access."
    return words


def _document(manifest: dict[str, Any], name: str, comment: str = "") -> Document:
    metadata = {"name": name}
    old = manifest["metadata"]
    if old.get("namespace"):
        metadata["namespace"] = old["namespace"]
    whole = {
        **manifest,
        "metadata": metadata | ({"annotations": old["annotations"]} if old.get("annotations") else {}),
    }
    return Document(manifest["kind"], name, old.get("namespace", ""), whole, comment)


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {
            key: new if key == "name" and inner == old else _renamed(inner, old, new)
            for key, inner in value.items()
        }
    return [_renamed(inner, old, new) for inner in value] if isinstance(value, list) else value


# -- external secrets ----------------------------------------------------------------------------------------
def _external_secret(link: ExternalSecret, names: _Names) -> Document:
    made, name = manifests.external_secret(link), names.of_link(link)
    spec = made["spec"] | {
        # As configured, without the share by which ours are kept from all refreshing at once.
        "refreshInterval": manifests.interval(link.refresh_seconds),
        "secretStoreRef": {
            "kind": "ClusterSecretStore", "name": names.of_store(link.access_id, link.variant_id),
        },
        "target": {"name": name, "creationPolicy": "Owner", "deletionPolicy": str(link.when_gone)},
    }  # fmt: skip
    notes = {reading.SCOPE: "namespace"} if link.service_id is None else {}
    if link.takes != Takes.VALUE and link.target == Target.VARIABLE:
        notes[reading.VARIABLES] = f"{link.variable}*"
    metadata = {"name": name, "namespace": link.namespace} | ({"annotations": notes} if notes else {})
    whole = {"apiVersion": made["apiVersion"], "kind": made["kind"], "metadata": metadata, "spec": spec}
    return Document(made["kind"], name, link.namespace, whole)
