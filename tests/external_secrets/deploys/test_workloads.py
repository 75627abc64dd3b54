"""What a deploy applies to a workload, and which of several links wins."""

import pytest

from external_secrets import wanted, workloads
from external_secrets.wanted import Form
from tests import factories

pytestmark = pytest.mark.django_db

PLACE = ("Deployment", "shop", "api")


@pytest.fixture
def link(service, access):
    """Return a function that links to the service `api`; `service=None` is the whole namespace."""

    def act(**fields):
        fields = {"service": service, "access": access, "namespace": "shop", "container": ""} | fields
        if fields.get("target") == "file":
            fields.setdefault("variable", "")
        return factories.make_link(**fields)

    return act


def winners(links, containers=("web",), own=()):
    decided = wanted.for_workload(links, PLACE, containers, set(own))
    return {one.slot: one.link for one in decided if one.wins}


def body(links, containers=("web",), place=PLACE, **more):
    decided = wanted.for_workload(links, place, containers)
    return workloads.body(place, [one for one in decided if one.wins], **more)


def pod(manifest):
    return manifest["spec"]["template"]["spec"]


class TestVariables:
    def test_the_patch_holds_our_entries_and_nothing_else(self, link):
        b, a = link(variable="B", container="web"), link(variable="A", container="web")

        assert body([b, a]) == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "api", "namespace": "shop"},
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "name": "web",
                                "env": [
                                    {
                                        "name": one.variable,
                                        "valueFrom": {
                                            "secretKeyRef": {"key": one.variable, "name": one.object_name}
                                        },
                                    }
                                    for one in (a, b)
                                ],
                            }
                        ]
                    }
                }
            },
        }

    def test_a_cron_jobs_pod_lies_deeper(self, link, cluster):
        nightly = factories.make_service(cluster=cluster, kind="CronJob", name="nightly")

        found = body([link(service=nightly, variable="A")], ["job"], ("CronJob", "shop", "nightly"))

        assert found["apiVersion"] == "batch/v1"
        assert found["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["name"] == "job"

    def test_without_anything_it_takes_everything_of_ours_away(self):
        assert workloads.body(PLACE, []) == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "api", "namespace": "shop"},
        }

    def test_no_container_is_every_container(self, link):
        one = link(variable="A")

        assert set(winners([one], ("web", "proxy"))) == {("web", "A"), ("proxy", "A")}

    def test_an_alias_reads_the_secret_of_its_original(self, link):
        one = link(variable="DB", key="prod/db")
        other = link(variable="DATABASE", key="prod/db", alias_of=one)

        found = pod(body([one, other]))["containers"][0]["env"]

        assert [entry["valueFrom"]["secretKeyRef"] for entry in found] == [
            {"key": "DB", "name": one.object_name}
        ] * 2


class TestPrecedence:
    def test_the_narrower_wins(self, link):
        space = link(service=None, variable="A")
        whole = link(variable="A")
        narrow = link(variable="A", container="web")

        assert winners([space, whole, narrow], ("web", "proxy")) == {
            ("web", "A"): narrow,
            ("proxy", "A"): whole,
        }

    def test_what_loses_says_to_what(self, link):
        space, mine = link(service=None, variable="A", key="prod/wide"), link(variable="A", key="prod/narrow")

        winner, loser = wanted.for_workload([space, mine], PLACE, ["web"])

        assert (winner.link, winner.why_not) == (mine, "")
        assert (loser.link, loser.why_not) == (space, "prod/narrow of shop/api wins.")

    def test_one_variable_wins_over_one_of_several(self, link):
        several = link(variable="", takes="keys", key="prod/app", seen_keys=["a", "b"])
        one = link(variable="A")

        assert winners([several, one]) == {("web", "A"): one, ("web", "B"): several}

    def test_a_variable_of_the_workload_wins_over_one_of_the_namespace(self, link):
        space, mine = link(service=None, variable="A"), link(variable="B")

        found = winners([space, mine], own={("web", "A"), ("web", "B")})

        assert found == {("web", "B"): mine}

    def test_another_service_and_another_namespace_are_not_meant(self, link, cluster):
        other = factories.make_service(cluster=cluster, name="other")

        assert winners([link(service=other), link(service=None, namespace="billing")]) == {}

    def test_of_a_namespace_a_container_that_is_not_there_is_nothing(self, link):
        assert winners([link(service=None, container="worker")]) == {}

    def test_two_keys_that_make_one_variable_are_named(self, link):
        several = link(variable="APP_", takes="keys", key="prod/app", seen_keys=["a-b", "a.b"])

        first, second = wanted.for_workload([several], PLACE, ["web"])

        assert (first.name, first.key) == ("APP_A_B", "a-b")
        assert second.why_not == "a-b and a.b make the same variable; the first one wins."

    @pytest.mark.parametrize(
        ("prefix", "key", "name"),
        [
            ("", "user", "USER"),
            ("DB_", "user.name", "DB_USER_NAME"),
            ("", "1st", "_1ST"),
            ("DB_", "1st", "DB_1ST"),
        ],
    )
    def test_keys_become_legal_variables(self, prefix, key, name):
        assert wanted.variable_of(prefix, key) == name

    def test_a_discovered_service_keeps_what_is_its_own(self, link, service):
        service.containers = [
            {
                "name": "web",
                "env": [{"name": "A", "source": "value"}, {"name": "B", "source": "value", "ours": True}],
                "mounts": [{"path": "/own", "source": "emptyDir"}],
            }
        ]
        links = [link(service=None, variable=name) for name in ("A", "B")]

        found = {one.name: one.own for one in wanted.for_service(service, links)}

        assert found == {"A": True, "B": False}


class TestFiles:
    def test_a_directory_is_one_volume_with_its_files(self, link):
        one = link(target="file", path="/vault/secrets/db.json", file_mode=0o400)
        two = link(target="file", path="/vault/secrets/api.key")

        found = pod(body([one, two]))

        (volume,) = found["volumes"]
        assert volume["name"].startswith("keyhaven-")
        items = {one["secret"]["name"]: one["secret"]["items"] for one in volume["projected"]["sources"]}
        assert items == {
            one.object_name: [{"key": one.secret_key, "path": "db.json", "mode": 0o400}],
            two.object_name: [{"key": two.secret_key, "path": "api.key", "mode": 0o444}],
        }
        assert found["containers"][0]["volumeMounts"] == [
            {"mountPath": "/vault/secrets", "name": volume["name"], "readOnly": True}
        ]

    def test_a_file_alone_hides_nothing_beside_it(self, link):
        found = pod(body([link(target="file", path="/etc/app/db.json", mount="file")]))

        assert found["containers"][0]["volumeMounts"] == [
            {
                "mountPath": "/etc/app/db.json",
                "name": found["volumes"][0]["name"],
                "readOnly": True,
                "subPath": "db.json",
            }
        ]

    def test_both_is_a_variable_with_the_path(self, link):
        found = pod(body([link(target="both", variable="DB_FILE", path="/vault/secrets/db")]))

        assert found["containers"][0]["env"] == [{"name": "DB_FILE", "value": "/vault/secrets/db"}]
        assert len(found["volumes"]) == 1

    def test_several_are_a_directory(self, link):
        one = link(
            target="file", takes="keys", key="prod/app", path="/vault/app", variable="", file_mode=0o440
        )

        found = pod(body([one]))

        assert found["volumes"][0]["projected"] == {
            "sources": [{"secret": {"name": one.object_name}}],
            "defaultMode": 0o440,
        }
        assert found["containers"][0]["volumeMounts"][0]["mountPath"] == "/vault/app"

    def test_no_container_sees_the_file_of_another(self, link):
        one = link(target="file", path="/vault/secrets/db", container="web")
        two = link(target="file", path="/vault/secrets/db", container="proxy")

        found = pod(body([one, two], ("web", "proxy")))

        assert len(found["volumes"]) == 2
        for container, mine in zip(found["containers"], (two, one), strict=True):
            volume = next(v for v in found["volumes"] if v["name"] == container["volumeMounts"][0]["name"])
            assert [s["secret"]["name"] for s in volume["projected"]["sources"]] == [mine.object_name]

    def test_containers_with_the_same_files_share_a_volume(self, link):
        found = pod(body([link(target="file", path="/vault/secrets/db")], ("web", "proxy")))

        assert len(found["volumes"]) == 1
        assert [len(one["volumeMounts"]) for one in found["containers"]] == [1, 1]

    @pytest.mark.parametrize(
        "path", ["/", "/etc", "/usr", "/bin", "/lib64", "/var", "/proc/x", "/run/secrets", "/a/../b", "a"]
    )
    def test_a_directory_that_the_container_needs_is_refused(self, path):
        assert workloads.refuses_directory(path)

    @pytest.mark.parametrize("path", ["/vault/secrets", "/etc/app", "/run/secrets/app"])
    def test_a_directory_of_its_own_is_not(self, path):
        assert workloads.refuses_directory(path) == ""


def test_pods_start_without_a_key_that_may_go_alone(link):
    one = link(variable="", takes="keys", key="prod/app", seen_keys=["a"], when_gone="Merge")

    (entry,) = pod(body([one]))["containers"][0]["env"]

    assert entry["valueFrom"]["secretKeyRef"]["optional"] is True
    assert wanted.for_workload([one], PLACE, ["web"])[0].form == Form.VARIABLE
