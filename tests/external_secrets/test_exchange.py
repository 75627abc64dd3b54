"""A configuration leaves as plain YAML that others can own, and comes back the same; hostile YAML is refused line by line."""

import json
import subprocess
import sys

import pytest
import yaml
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accesses import variants
from accounts.models import AuditEvent
from clusters import kubernetes
from external_secrets.exchange import exporting, importing, planning, taking, yamls
from external_secrets.exchange.rows import State
from external_secrets.models import ExternalSecret
from external_secrets.steps import Inject
from sandbox.kubernetes import Cluster as SandboxCluster
from tests import factories
from tests.external_secrets import foreigners as they

pytestmark = pytest.mark.django_db

CANARY = "canary-secret-access-key-40-characters-x"


@pytest.fixture
def whole(cluster):
    """A cluster with links of every sort."""
    credential = {"access_key_id": "AKIACANARYCANARY0000", "secret_access_key": CANARY}
    aws = factories.make_access(cluster=cluster, name="aws", namespaces=["shop"], credential=credential)
    two = [{"name": name, "image": "x", "env": [], "mounts": []} for name in ("web", "side")]
    api = factories.make_service(cluster=cluster, name="api", containers=two)
    job = factories.make_service(cluster=cluster, name="job", kind="CronJob", containers=two[:1])

    def link(**fields):
        return factories.make_link(**{"service": api, "access": aws, "variable": ""} | fields)

    first = link(
        variable="DB_PASSWORD", key="prod/db", json_field="a#b.c", version="uuid/1", when_gone="Delete"
    )
    link(
        variable="PGPASSWORD",
        key="prod/db",
        json_field="a#b.c",
        version="uuid/1",
        when_gone="Delete",
        alias_of=first,
    )
    link(variable="EVERYWHERE", key="prod/all", container="", restart_on_change=True, refresh_seconds=5400)
    link(variable="REGION", key="prod/us", variant=variants.use(aws, region="us-east-1"))
    link(target="file", path="/etc/tls/key.pem", key="prod/key", file_mode=0o400)
    link(target="file", path="/etc/tls/crt.pem", key="prod/crt", file_mode=0o444, container="side")
    link(target="file", path="/opt/one.json", key="prod/one", mount="file")
    link(target="both", path="/etc/ca/ca.pem", variable="CA_FILE", key="prod/ca")
    link(takes="keys", key="prod/json", variable="J_", seen_keys=["port", "user"])
    link(takes="path", key="prod/shop/", target="file", path="/etc/all")
    link(takes="tags", key="", tags={"team": "shop"}, variable="T_", seen_keys=["x"], service=job)
    link(variable="SHARED", key="prod/shared", service=None, namespace="shop", container="")
    link(
        target="file",
        path="/etc/shared/text.txt",
        key="prod/text",
        service=None,
        namespace="shop",
        container="web",
    )
    link(variable="DB_PASSWORD", key="prod/other", service=job)
    return cluster


def documents(cluster):
    return [one for one in yaml.safe_load_all(exporting.export(cluster).text) if one]


def bring(cluster, text, by):
    parsed = importing.parse(text)
    assert parsed.mistakes == []
    plan = planning.plan(cluster, parsed.sources())
    taking.take(cluster=cluster, rows=plan.rows, by=by, action="external_secret.imported")
    return plan


# -- taking it away ------------------------------------------------------------------------------------------
def test_there_and_back_is_the_same(whole, devops):
    before = exporting.export(whole).text
    count = ExternalSecret.objects.count()
    ExternalSecret.objects.all().delete()
    assert exporting.export(whole).text != before

    plan = bring(whole, before, devops)

    assert [row.reason for row in plan.rows if row.state != State.NEW] == []
    assert ExternalSecret.objects.count() == count
    assert exporting.export(whole).text == before


def test_what_is_there_already_is_equal(whole):
    parsed = importing.parse(exporting.export(whole).text)

    plan = planning.plan(whole, parsed.sources())

    assert {(row.state, row.reason) for row in plan.rows} == {
        (State.EQUAL, "It is linked like this already.")
    }


def test_what_differs_is_changed(whole, devops):
    text = exporting.export(whole).text.replace("key: prod/shared", "key: prod/another")

    plan = bring(whole, text, devops)

    changed = [row.reason for row in plan.rows if row.state == State.CHANGED]
    assert changed == ["A link is there with another secret."]
    assert ExternalSecret.objects.get(variable="SHARED").key == "prod/another"


def test_the_export_names_nothing_of_ours(whole):
    found = exporting.export(whole)
    ids = [str(row.pk)[:8] for row in [whole, *whole.accesses.all(), *ExternalSecret.objects.all()]]

    text = found.text
    assert [one for one in ids if one in text] == []
    assert "app.kubernetes.io/managed-by" not in text
    assert {one["metadata"].get("labels") for one in documents(whole)} == {None}
    assert found.counts == {"ClusterSecretStore": 2, "ExternalSecret": 13, "CronJob": 1, "Deployment": 1}


def test_workloads_are_as_a_deploy_makes_them(whole):
    made = {(one["kind"], one["metadata"]["name"]): one for one in Inject().wanted(whole, {})}

    for one in documents(whole):
        if one["kind"] in ("Deployment", "CronJob"):
            ours = slots(made[one["kind"], one["metadata"]["name"]])
            assert slots(one) == ours
            assert len(ours) > 1


def slots(manifest):
    """Return what each container gets, without the names of Secrets and volumes."""
    spec = manifest["spec"]["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else manifest["spec"]
    return {
        (container["name"], one.get("mountPath") or one["name"], one.get("value", ""), one.get("subPath", ""))
        for container in spec["template"]["spec"]["containers"]
        for one in [*container.get("env", []), *container.get("volumeMounts", [])]
    }


def test_the_order_does_not_depend_on_that_of_the_rows(whole):
    before = exporting.export(whole).text
    # PostgreSQL returns what was written last at the end.
    for link in ExternalSecret.objects.order_by("-pk"):
        link.save()

    assert exporting.export(whole).text == before


def test_no_credential_and_no_digest_of_it_leaves(whole, sign_in, viewer, url):
    page = sign_in(viewer).get(url("export", cluster="prod")).content.decode()
    file = sign_in(viewer).get(url("export", cluster="prod") + "?download=1").content.decode()

    for text in (page, file):
        assert CANARY not in text
        assert "AKIACANARY" not in text
        assert "keyhaven.io/digest" not in text
    assert "kind: Secret\n" not in file
    assert "# kubectl create secret generic aws --namespace external-secrets" in file
    event = AuditEvent.objects.get()
    assert (event.action, event.target_name, event.details["ExternalSecret objects"]) == (
        "cluster.exported",
        "prod",
        13,
    )


def test_roles_that_a_cloud_trusts_keep_their_service_accounts_name(cluster):
    role = {"region": "eu-west-3", "role_arn": "arn:aws:iam::123456789012:role/read"}
    access = factories.make_access(
        cluster=cluster, name="irsa", method="role", configuration=role, credential=None
    )

    account, store = documents(cluster)

    assert account["metadata"]["name"] == access.service_account
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": role["role_arn"]}
    reference = store["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"]
    assert (store["metadata"]["name"], reference["name"]) == ("irsa", access.service_account)


@pytest.mark.sandbox
def test_every_object_is_valid_and_can_be_applied(whole, shared, tmp_path):
    file = tmp_path / "export.yaml"
    file.write_text(exporting.export(whole).text)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    crds = yaml.load_all((shared / "data" / "eso-crds-2.9.0.yaml").read_text(), loader)

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True,
        text=True,
    )
    with SandboxCluster() as kube:
        kube.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        kube.load([crd for crd in crds if crd])
        containers = [
            {"name": name, "image": "x", "env": [{"name": "LOG", "value": "1"}]} for name in ("web", "side")
        ]
        kube.load([they.workload("api", *containers), they.workload("job", containers[0], kind="CronJob")])
        door = kubernetes.connect_text(kube.kubeconfig())
        for one in documents(whole):
            door.apply(one)
        spec = kube.get("Deployment", "api", "shop")["spec"]["template"]["spec"]

    assert checked.returncode == 0, checked.stdout + checked.stderr
    web = next(one for one in spec["containers"] if one["name"] == "web")
    assert {"LOG", "DB_PASSWORD", "PGPASSWORD", "EVERYWHERE", "CA_FILE", "J_PORT", "SHARED"} <= {
        one["name"] for one in web["env"]
    }
    assert "/etc/tls" in [one["mountPath"] for one in web["volumeMounts"]]


def test_a_thousand_links_are_exported_by_as_many_queries_as_one(cluster, access, service):
    def make(numbers):
        ExternalSecret.objects.bulk_create(
            ExternalSecret(
                cluster=cluster, namespace="shop", service=service, container="web", access=access,
                key=f"prod/{n}", variable=f"V{n}",
            )
            for n in numbers
        )  # fmt: skip

    make(range(1))
    with CaptureQueriesContext(connection) as few:
        exporting.export(cluster)
    make(range(1, 1000))
    with CaptureQueriesContext(connection) as many:
        text = exporting.export(cluster).text
    parsed = importing.parse(text)
    with CaptureQueriesContext(connection) as planned:
        plan = planning.plan(cluster, parsed.sources())

    assert len(many) == len(few)
    assert plan.count(State.EQUAL) == 1000
    assert len(planned) < 10


# -- bringing it ---------------------------------------------------------------------------------------------
GOOD = """\
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: legacy}
spec: {provider: {aws: {service: SecretsManager, region: eu-west-3}}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db, namespace: shop}
spec:
  secretStoreRef: {kind: ClusterSecretStore, name: legacy}
  data:
    - secretKey: password
      remoteRef: {key: prod/db}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec: {template: {spec: {containers: [{name: web, env: [
  {name: TOKEN, value: canary-in-an-env-value},
  {name: DB, valueFrom: {secretKeyRef: {name: db, key: password}}}]}]}}}
"""


@pytest.fixture
def post(sign_in, devops, url):
    def act(**data):
        return sign_in(devops).post(url("import", cluster="prod"), data)

    return act


def test_paste_preview_link(cluster, access, service, post):
    preview = post(yaml=GOOD)
    nothing_yet = ExternalSecret.objects.count()
    (row,) = preview.context["plan"].rows
    response = post(kept=preview.context["kept"], row=row.token, then="take")

    assert (preview.status_code, nothing_yet, response.status_code) == (200, 0, 302)
    link = ExternalSecret.objects.get()
    assert (link.key, link.variable, link.service, link.container, link.access) == (
        "prod/db",
        "DB",
        service,
        "web",
        access,
    )
    # A workload's own variables may be set to anything.
    assert "canary-in-an-env-value" not in preview.content.decode()


def test_a_pasted_secret_is_refused_and_its_value_does_not_come_back(cluster, access, service, post):
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: canary-pasted-value}\n"

    response = post(yaml=GOOD + secret)

    text = response.content.decode()
    assert response.status_code == 422
    assert f"Line {GOOD.count(chr(10)) + 2}" in text
    assert "Take it out" in text
    assert "canary-pasted-value" not in text


def test_what_the_form_carries_cannot_be_made_up(cluster, post):
    response = post(kept="e30:made:up", then="take")

    assert response.status_code == 422
    assert "Paste it again" in response.content.decode()


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("secretKey: password", "secretKey: 7", 12, "spec.data[0].secretKey has to be text, in quotes."),
        (
            "secretKey: password",
            "secretKeys: password",
            12,
            "spec.data[0].secretKeys is no field that Keyhaven knows.",
        ),
        ("remoteRef: {key: prod/db}", "remoteRef: [x]", 13, "spec.data[0].remoteRef has to be a mapping."),
        ("  data:", "  data: 7\n  dataFrom:", 11, "spec.data has to be a list."),
        ("{name: db, namespace: shop}", "{namespace: shop}", 6, "This ExternalSecret has no metadata.name."),
        ("kind: ExternalSecret", "kin: ExternalSecret", 6, "This object has no kind."),
        ("spec:\n", "spec: &a\n", 8, ""),
        ("  data:", "  data: *a", 11, "Aliases are not read"),
        ("  data:", " data:", 11, "This is no YAML"),
        ("kind: ClusterSecretStore", "kind: !!python/object:os.system x", 2, "Tags are not read"),
    ],
)
def test_mistakes_have_their_line(cluster, post, old, new, line, text):
    response = post(yaml=GOOD.replace(old, new, 1))

    if not text:
        assert response.status_code == 200
        return
    assert response.status_code == 422
    found = response.context["mistakes"]
    assert any(one.line == line and text in one.text for one in found), found


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 100_000,
        "\x00\x01\x02",
        "---\n" * 100_000,
        "a: " + "9" * 500_000,
        "x" * 900_000,
        json.dumps(
            {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": [], "spec": "x"}
        ),
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x}\nspec: {data: [null, 1, [2]]}",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: 7\nspec: {template: [1]}",
        "apiVersion: v1\nkind: List\nitems: {a: 1}",
        "kind: {a: b}\napiVersion: [c]",
        "true",
        "\ud800",
    ],
    ids=range(15),
)
def test_hostile_yaml_is_refused(cluster, access, service, text):
    parsed = importing.parse(text)

    assert parsed.mistakes or not parsed.externals


def test_a_large_file_is_refused_in_the_page(cluster, post):
    from django.core.files.uploadedfile import SimpleUploadedFile

    response = post(file=SimpleUploadedFile("x.yaml", b"a" * (yamls.LARGEST + 1)))

    assert response.status_code == 422
    assert "larger than 1024 KB" in response.content.decode()


@pytest.mark.parametrize(
    "spec",
    ["{}", "{data: []}", "{dataFrom: [{extract: {key: a}}]}", "{target: {name: ''}, dataFrom: [{find: {}}]}"],
)
def test_odd_but_legal_external_secrets_are_told_of(cluster, access, service, post, spec):
    text = f"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: x, namespace: shop}}\nspec: {spec}"

    response = post(yaml=text)

    assert response.status_code in (200, 422)
    assert not ExternalSecret.objects.exists()
