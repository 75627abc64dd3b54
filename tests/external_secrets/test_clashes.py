"""What is in the way of a link: variables, files and directories, of the service's own and of other links."""

import pytest
from django.core.exceptions import ValidationError

from external_secrets import clashes, paths
from external_secrets.placing import Place
from tests import factories

pytestmark = pytest.mark.django_db


def variable(name="DB"):
    return {"takes": "value", "target": "variable", "variable": name, "path": ""}


def file(path, mount="directory", takes="value"):
    return {"takes": takes, "target": "file", "variable": "", "path": path, "mount": mount}


@pytest.fixture
def pair(cluster):
    """A service of two containers; the second has a variable and two mounts of its own."""
    mounts = [{"path": "/etc/proxy", "source": "config map proxy"}, "/data"]
    containers = [
        {"name": "web", "image": "x", "env": [], "mounts": []},
        {"name": "proxy", "image": "x", "env": [{"name": "PORT", "source": "value"}], "mounts": mounts},
    ]
    return factories.make_service(cluster=cluster, name="pair", containers=containers)


def found(place, values, **options):
    return [(one.field, one.text) for one in clashes.Around(place, **options).find(values)]


class TestVariables:
    def test_the_same_one_of_the_same_container(self, pair, access):
        factories.make_link(service=pair, access=access, container="web", variable="DB", key="prod/db")

        ((field, text),) = found(Place.of(pair, "web"), variable())

        assert field == "variable"
        assert text == "The container web already has DB, from the secret prod/db, which is linked already."

    def test_what_the_container_has_itself(self, pair):
        assert found(Place.of(pair, "proxy"), variable("PORT"))[0][1].endswith("PORT, from value.")
        assert found(Place.of(pair, "web"), variable("PORT")) == []

    def test_for_every_container_one_that_has_it_is_in_the_way(self, pair):
        assert "from value in the container proxy" in found(Place.of(pair), variable("PORT"))[0][1]

    def test_a_narrower_or_wider_link_is_no_clash_and_is_told(self, pair, access):
        factories.make_link(service=pair, access=access, container="web", variable="DB", key="narrow")
        factories.make_link(
            service=None, namespace="shop", access=access, container="", variable="DB", key="wide"
        )
        around = clashes.Around(Place.of(pair))

        assert around.find(variable()) == []
        assert sorted(around.beside(variable())) == [
            "The link of narrow to shop/pair, container web gives DB too, and wins there.",
            "The link of wide to namespace shop gives DB too; this one wins here.",
        ]

    def test_a_namespace_tells_which_services_keep_their_own(self, pair, cluster):
        around = clashes.Around(Place(cluster, "shop"))

        assert around.find(variable("PORT")) == []
        assert around.beside(variable("PORT")) == ["pair has PORT already and keeps its own."]

    def test_of_several_only_the_beginning_of_names_is_known(self, pair, access):
        factories.make_link(service=pair, access=access, container="web", variable="DB", takes="keys")

        assert found(Place.of(pair, "web"), variable("DB")) == []

    def test_the_link_that_is_edited_is_not_in_its_own_way(self, pair, access):
        link = factories.make_link(service=pair, access=access, container="web", variable="DB")

        assert found(Place.of(pair, "web"), variable(), without=[link.pk]) == []

    def test_other_namespaces_services_and_containers(self, pair, access, cluster, service):
        factories.make_link(service=pair, access=access, container="proxy", variable="DB")
        factories.make_link(service=service, access=access, container="web", variable="DB")

        assert found(Place.of(pair, "web"), variable()) == []


class TestFiles:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (file("/etc/proxy/db.json"), "already has something mounted at /etc/proxy"),
            (file("/etc/proxy", mount="file"), "already has something mounted at /etc/proxy"),
            (file("/data/in/db.json"), "/data/in lies inside /data"),
            (file("/data/db.json", mount="file"), "/data/db.json lies inside /data"),
            (file("/etc/db.json", takes="path"), ""),
            (file("/etc", takes="path"), "/etc would hide /etc/proxy"),
        ],
    )
    def test_what_the_workload_mounts(self, pair, values, words):
        texts = [text for _, text in found(Place.of(pair, "proxy"), values)]

        assert bool(texts) == bool(words)
        assert all(words in text for text in texts)

    def test_the_other_container_does_not_have_it(self, pair):
        assert found(Place.of(pair, "web"), file("/data/db.json")) == []
        assert found(Place.of(pair), file("/data/db.json"))

    def test_what_an_earlier_deploy_of_ours_mounted(self, pair):
        pair.containers[1]["mounts"] = [{"path": "/vault/secrets", "source": "projected", "ours": True}]

        assert found(Place.of(pair, "proxy"), file("/vault/secrets/db.json")) == []

    def test_two_files_of_one_directory_share_it(self, pair, access):
        factories.make_link(
            service=pair, access=access, variable="", target="file", path="/vault/secrets/a.json"
        )
        pair.containers[0]["mounts"] = ["/vault/secrets"]

        assert found(Place.of(pair, "web"), file("/vault/secrets/b.json")) == []
        assert found(Place.of(pair, "web"), file("/vault/secrets/a.json"))[0][0] == "path"

    @pytest.mark.parametrize(
        ("theirs", "ours", "clash"),
        [
            (("/run/a/x", "directory"), ("/run/a/b/y", "directory"), True),
            (("/run/a/b/x", "directory"), ("/run/a/y", "directory"), True),
            (("/run/a/x", "directory"), ("/run/a/y", "file"), True),
            (("/run/a/x", "file"), ("/run/a/y", "directory"), True),
            (("/run/a/x", "file"), ("/run/a/y", "file"), False),
            (("/run/a/x", "directory"), ("/run/ab/y", "directory"), False),
        ],
    )
    def test_directories_inside_each_other(self, pair, access, theirs, ours, clash):
        factories.make_link(
            service=pair, access=access, variable="", target="file", path=theirs[0], mount=theirs[1]
        )

        assert bool(found(Place.of(pair, "web"), file(*ours))) is clash

    def test_a_wider_link_with_the_same_path_is_no_clash(self, pair, access):
        factories.make_link(
            service=None,
            namespace="shop",
            container="",
            access=access,
            variable="",
            target="file",
            path="/v/a",
        )

        assert found(Place.of(pair, "web"), file("/v/a")) == []


class TestPaths:
    @pytest.mark.parametrize("path", ["/vault/secrets/db.json", "/app/conf/.env", "/v/a@b+c=d,e"])
    def test_legal_ones(self, path):
        assert paths.clean(path) == path

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("db.json", "is not absolute"),
            ("../db.json", "is not absolute"),
            ("/vault/../etc/passwd", "has a step"),
            ("/vault/./db", "has a step"),
            ("/vault/..data", "begins with two dots"),
            ("/vault/", "is a directory"),
            ("/", "is a directory"),
            ("/vault//db", "no legal path"),
            ("/vault/a b", "no legal path"),
            ("/vault/a:b", "no legal path"),
            ("/vault/\u00e9", "no legal path"),
            ("/vault/a\nb", "no legal path"),
            ("/vault/" + "x" * 254, "more than 253"),
            ("/db.json", "would be hidden"),
            ("/etc/db.json", "would be hidden"),
            ("/usr/local/bin/x", "would be hidden"),
            ("/proc/x/y", "belongs to the system"),
            ("/var/run/secrets/kubernetes.io/serviceaccount/token", "belongs to the system"),
        ],
    )
    def test_others_say_what_is_wrong(self, path, words):
        with pytest.raises(ValidationError, match=words):
            paths.clean(path)

    def test_a_single_file_may_be_in_a_directory_of_the_image(self):
        assert paths.clean("/etc/app.json", whole=False) == "/etc/app.json"

    def test_several_are_a_directory(self):
        assert paths.clean("/vault/secrets/", several=True) == "/vault/secrets"
        with pytest.raises(ValidationError, match="would be hidden"):
            paths.clean("/etc", several=True)
