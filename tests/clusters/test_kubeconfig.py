"""A kubeconfig is reduced to what is known to be harmless; everything else is refused with its own words."""

import base64
from typing import Any

import pytest
import yaml

from clusters import kubeconfig
from config import egress

CA = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n").decode()


def config(
    cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **top: Any
) -> dict[str, Any]:
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "x"}}],
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": "https://10.1.2.3:6443", "certificate-authority-data": CA}
                | (cluster or {}),
            }
        ],
        "users": [{"name": "u", "user": {"token": "canary-token"} if user is None else user}],
    }
    return whole | top


def reduce(whole: dict[str, Any], context: str = "") -> dict[str, Any]:
    return yaml.safe_load(kubeconfig.reduce(yaml.safe_dump(whole), context))


def test_only_the_known_fields_of_one_context_are_kept():
    whole = config(
        cluster={"extensions": [1]}, user={"token": "t", "username": "ignored-not-kept"}, preferences={"a": 1}
    )

    kept = reduce(whole)

    assert kept["users"] == [{"name": "user", "user": {"token": "t"}}]
    assert kept["clusters"][0]["cluster"] == {
        "server": "https://10.1.2.3:6443",
        "certificate-authority-data": CA,
    }
    assert "preferences" not in kept


def test_a_client_certificate_is_kept_with_its_key():
    user = {"client-certificate-data": CA, "client-key-data": CA}

    assert reduce(config(user=user))["users"][0]["user"] == user


@pytest.mark.parametrize(
    ("whole", "words"),
    [
        (config(user={"exec": {"command": "aws"}}), "exec would run a command"),
        (config(user={"auth-provider": {"name": "gcp"}}), "auth-provider would run a command"),
        (config(user={"tokenFile": "/var/run/token"}), "tokenFile names a file"),
        (
            config(user={"client-certificate": "a.pem", "client-key": "b.pem"}),
            "client-certificate names a file",
        ),
        (config(cluster={"certificate-authority": "/ca.pem"}), "certificate-authority names a file"),
        (config(cluster={"insecure-skip-tls-verify": True}), "accept any server"),
        (config(cluster={"certificate-authority-data": ""}), "certificate-authority-data is missing"),
        (config(cluster={"certificate-authority-data": "bm8="}), "no PEM block"),
        (config(cluster={"server": "http://10.1.2.3"}), "must begin with https"),
        (config(cluster={"proxy-url": "http://proxy"}), "proxy-url is not supported"),
        (config(cluster={"server": "https://169.254.169.254"}), "link-local or metadata"),
        (config(cluster={"server": "https://[fe80::1]:6443"}), "link-local or metadata"),
        (config(cluster={"server": "https://[::ffff:169.254.169.254]"}), "link-local or metadata"),
        (config(cluster={"server": "https://100.100.100.200"}), "link-local or metadata"),
        (config(cluster={"server": "https://metadata.google.internal"}), "metadata service"),
        (config(cluster={"server": "https://0.0.0.0"}), "link-local or metadata"),
        (config(user={"token": "t", "as": "root"}), "Impersonation"),
        (config(user={"username": "u", "password": "p"}), "user name and password"),
        (config(user={}), "neither a token nor a client certificate"),
        (config(users=[]), "not in the kubeconfig"),
        (config(contexts=[]), "has no context"),
        ({"a": 1}, "not a kubeconfig"),
    ],
)
def test_what_is_refused_has_its_own_words(whole, words):
    with pytest.raises(kubeconfig.KubeconfigRefused, match=words) as refusal:
        reduce(whole)

    assert "canary-token" not in str(refusal.value)


@pytest.mark.parametrize("text", ["{", "- a\n- b", "just words", "a: &x [1]\nb: *x\n" + "c: 1\n", "\x00"])
def test_what_is_no_kubeconfig_is_said(text):
    with pytest.raises(kubeconfig.KubeconfigRefused):
        kubeconfig.reduce(text)


def test_a_bomb_of_aliases_is_not_expanded():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )

    with pytest.raises(kubeconfig.KubeconfigRefused, match="aliases"):
        kubeconfig.reduce(bomb)


def test_a_huge_one_is_refused_before_it_is_read():
    with pytest.raises(kubeconfig.KubeconfigRefused, match="256 KB"):
        kubeconfig.reduce("a" * 300_000)


def test_several_contexts_need_a_choice():
    whole = config()
    whole["contexts"].append({"name": "dev", "context": {"cluster": "c", "user": "u"}})

    with pytest.raises(kubeconfig.SeveralContexts) as refusal:
        reduce(whole)

    assert refusal.value.names == ["prod", "dev"]
    assert reduce(whole, "dev")["current-context"] == "keyhaven"
    with pytest.raises(kubeconfig.KubeconfigRefused, match="no context 'nope'"):
        reduce(whole, "nope")


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1", "https://127.0.0.1:6443", "https://192.168.1.1", "https://8.8.8.8"]
)
def test_private_and_public_addresses_are_fine(url):
    egress.check(url)


def test_a_name_that_resolves_to_the_metadata_service_is_refused(monkeypatch):
    def resolve(host: str, port: object) -> list[Any]:
        return [(2, 1, 6, "", ("169.254.169.254", 0))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)

    with pytest.raises(egress.Forbidden, match=r"rebound\.example"):
        egress.check("https://rebound.example")


AUTHORITY = base64.b64encode(b"-----BEGIN CERTIFICATE").decode()
NO_ADDRESS = (
    "https://[", "https://[::1", "https://[1.2.3.4]", "https://\u2100.test", "https://x:99999", "https://x:port", "https://a\x00b",
    "https://a b", "https://x\ud800y", "https://a\nb", f"https://{'a' * 400}.test", "https://user:password@x", "https://x/?a=b",
    "http://x", "file:///etc/passwd", "https://169.254.169.254", "https://2852039166", "https://[::ffff:169.254.169.254]",
)  # fmt: skip


@pytest.mark.parametrize("address", NO_ADDRESS, ids=range(len(NO_ADDRESS)))
def test_an_address_that_cannot_be_called_is_refused_whoever_tells_it(address):
    with pytest.raises(kubeconfig.KubeconfigRefused):
        kubeconfig.bare(address, AUTHORITY)


def test_an_authority_that_is_no_text_is_refused():
    with pytest.raises(kubeconfig.KubeconfigRefused):
        kubeconfig.bare("https://localhost", base64.b64encode(b"-----BEGIN \xff").decode())
