"""Elasticsearch, played by its stand-in, with documents as the console writes them."""

from typing import Any

from accesses.models import Access
from accesses.providers.elasticsearch import documents
from accesses.providers.gateway import tokens as gateway_tokens
from sandbox import world as demo
from tests.accesses.worlds import Sandbox, World

METHODS = ("password", "api-key")
COUNT = 230
TOKEN = gateway_tokens.new()


def configuration(vendor: Any, method: str, user: str = "keyhaven-reader") -> dict[str, str]:
    found = {
        "address": vendor.url,
        "index": vendor["index"],
        "ca": "",
        "gateway_address": "",
        "gateway_ca": "",
    }
    return found | ({"user": user} if method == "password" else {})


def credential(vendor: Any, method: str, user: str) -> dict[str, str]:
    mine = (
        {"password": vendor["passwords"][user]} if method == "password" else {"api_key": vendor["keys"][user]}
    )
    return mine | {"token": TOKEN}


class Index:
    """Fills the index for an access's organization, and reads it as who has the console's key."""

    names = demo.names(COUNT)

    def __init__(self, vendor: Any) -> None:
        self.vendor, self.owner = vendor, ""
        vendor.plant("reset")

    def prepare(self, access: Any) -> None:
        if self.owner:
            # Who only reads sees what the other one has: they are of one organization.
            access.cluster.organization_id = int(self.owner)
            access.cluster.save()
            return
        self.owner = str(access.cluster.organization_id)
        made = [
            documents.new(self.owner, name, f"value of {name}", {"stage": name[:4]}) for name in self.names
        ]
        self.vendor.plant(
            "index", **documents.MAPPING,
            documents={documents.id_of(self.owner, one["name"]): one for one in made},
        )  # fmt: skip

    def value(self, name: str) -> str:
        found = self.vendor.plant("documents")[documents.id_of(self.owner, name)]
        return documents.opened(found, self.owner, name, None).value


def nowhere(monkeypatch: Any) -> None:
    for access in Access.objects.all():
        access.configuration["address"] = "http://127.0.0.1:9"
        access.save()


def world(sandbox: Sandbox, method: str) -> World:
    vendor = sandbox.vendor("elasticsearch")
    index = Index(vendor)
    by_key = method == "api-key"
    # Whose password it is stands in the configuration: then everybody is the one who may write.
    who = "keyhaven-reader" if by_key else "keyhaven-writer"
    wrong = {"api_key": "d3Jvbmc6d3Jvbmc="} if by_key else {"password": "wrong"}
    return World(
        method=method,
        configuration=configuration(vendor, method, who),
        good=credential(vendor, method, who),
        wrong=wrong | {"token": TOKEN},
        limited=credential(vendor, method, "nobody"),
        permission="read",
        names=index.names,
        nowhere=nowhere,
        value=index.value,
        slow=lambda: vendor.plant(
            "faults", status=429, body={"error": {"type": "es_rejected_execution_exception"}}
        ),
        over=(lambda: vendor.plant("faults", ahead=7200)) if by_key else None,
        writer=credential(vendor, method, "keyhaven-writer"),
        prepare=index.prepare,
        limited_configuration=None if by_key else configuration(vendor, method, "nobody"),
    )
