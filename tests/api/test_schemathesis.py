"""schemathesis against the API's own document: whatever is sent, the answer is one that the document has."""

from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests import factories
from tests.api.world import ROWS, document, operations

application = get_wsgi_application()
pytestmark = pytest.mark.django_db
CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
EXAMPLES = 10
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(document())


@pytest.fixture
def one_connection() -> Any:
    """The application does not close the connection whose transaction the test undoes."""
    ends = (signals.request_started, signals.request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    yield
    for end in ends:
        end.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("name", sorted(operations()))
def test_whatever_is_sent_is_answered_as_documented(name, mode, schema, things, organization, owner):
    method, path, call = operations()[name]
    # What streams is a text: several documents of YAML are none that could be looked into.
    checks = [check for check in CHECKS if check is not response_schema_conformance or "x-media" not in call]
    operation = schema[path][method.upper()]
    operation.app = application
    value = factories.make_token(owner, organization)
    row = {key: given(things) if callable(given) else given for key, given in ROWS[name].items()}
    named = {key: str(given) for key, given in row.items() if key not in ("body", "query")}

    @SETTINGS
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def send(case: Any, real: bool) -> None:
        case.path_parameters = (case.path_parameters or {}) | {"org": "acme"} | (named if real else {})
        case.headers.pop("Authorization", None)
        if real and mode is GenerationMode.POSITIVE and "body" in row:
            case.body = row["body"]
        with transaction.atomic():
            response = case.call(app=application, headers={"Authorization": f"Bearer {value}"})
            transaction.set_rollback(True)
        # 502 is the answer while no cluster is there to be asked.
        assert response.status_code not in (500, 503)
        case.validate_response(response, checks=checks)

    send()
