"""Doppler, played by its stand-in."""

from typing import Any

from django.conf import settings

from sandbox.vendors import doppler
from tests.accesses.worlds import Sandbox, World

METHODS = ("service-token", "account-token", "oidc")
_READ = "enclave_project_config_secrets_read"
_PLACE = {"project": doppler.PROJECT, "config": doppler.CONFIG}


def _nowhere(monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "DOPPLER_ENDPOINT_URL", "http://127.0.0.1:9")


def world(sandbox: Sandbox, method: str) -> World:
    vendor = sandbox.vendor("doppler")
    sandbox.fixture("settings").DOPPLER_ENDPOINT_URL = vendor.url
    make = {"service-token": _service, "account-token": _account, "oidc": _oidc}[method]
    return World(
        **make(sandbox, vendor),
        method=method,
        names=vendor["names"],
        nowhere=_nowhere,
        value=lambda name: str(vendor.plant("value", name=name)["value"]),
        slow=lambda: vendor.plant("faults", status=429, retry_after=7, body={"messages": ["Slow down"]}),
        over=lambda: vendor.plant("faults", ahead=2 * doppler.YEAR),
        namespace="KEYHAVEN_",
        spell=doppler.spelled,
    )


def _service(sandbox: Sandbox, vendor: Any) -> dict[str, Any]:
    return {
        "configuration": _PLACE,
        "good": {"token": vendor["service_token"]},
        "writer": {"token": vendor["service_token_writer"]},
        "wrong": {"token": f"dp.st.prd.{'w' * 42}"},
        # A service token reads its config, or is none.
        "limited": None,
        "permission": "",
    }


def _account(sandbox: Sandbox, vendor: Any) -> dict[str, Any]:
    return {
        "configuration": _PLACE,
        "good": {"token": vendor["account_token"]},
        "writer": {"token": vendor["account_token_writer"]},
        "wrong": {"token": f"dp.sa.{'w' * 42}"},
        "limited": {"token": vendor["limited_token"]},
        "permission": _READ,
    }


def _oidc(sandbox: Sandbox, vendor: Any) -> dict[str, Any]:
    cluster = sandbox.fixture("sandbox_cluster")

    def prepare(access: Any) -> None:
        from accesses import trials
        from clusters import kubeconfig

        access.cluster.kubeconfig = kubeconfig.reduce(cluster.kubeconfig())
        access.cluster.save()
        trials.ensure_service_account(access)
        subject = f"system:serviceaccount:{access.cluster.operator_namespace}:{access.service_account}"
        vendor.plant("trust", issuer=cluster.issuer, jwks=cluster.jwks(), subjects=[subject])

    return {
        "configuration": _PLACE | {"identity": vendor["identity"]},
        "good": {},
        "writer": {},
        "wrong": {},
        "wrong_configuration": _PLACE | {"identity": "11111111-2222-3333-4444-555555555555"},
        "limited": {},
        "limited_configuration": _PLACE | {"identity": vendor["limited_identity"]},
        "permission": _READ,
        "prepare": prepare,
    }
