"""What moto's Secrets Manager lacks: a list in an order, and policies that name a secret."""

import json

from moto.secretsmanager import responses
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.utilities.utils import get_partition

_ORDERS = {"created-date": "CreatedDate", "last-changed-date": "LastChangedDate", "name": "Name"}


class Secrets(SecretsManagerResponse):
    def _determine_resource(self) -> str:
        named = self._get_param("SecretId") or self._get_param("Name")
        if not named:
            return "*"
        found = self.backend.secrets.get(named)
        if found is not None:
            return str(found.arn)
        here = f"arn:{get_partition(self.region)}:secretsmanager:{self.region}:{self.current_account}"
        return str(named) if named.startswith("arn:") else f"{here}:secret:{named}"

    def list_secrets(self) -> str:
        filters = self._get_param("Filters", if_none=[])
        responses._validate_filters(filters)
        found, _ = self.backend.list_secrets(
            filters,
            len(self.backend.secrets) + 1,
            None,
            self._get_param("IncludePlannedDeletion", if_none=False),
        )
        if order := _ORDERS.get(self._get_param("SortBy")):
            found.sort(
                key=lambda one: (one[order], one["Name"]), reverse=self._get_param("SortOrder") != "asc"
            )
        size = self._get_int_param("MaxResults") or 100
        listed, token = self.backend._get_secret_values_page_and_next_token(
            found, size, self._get_param("NextToken")
        )
        return json.dumps({"SecretList": listed, "NextToken": token})
