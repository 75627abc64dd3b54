"""The pages of people and the audit log, each beside its resource."""

from accounts.audit import urls as audit
from accounts.organizations import urls as organizations
from accounts.outgoing import urls as outgoing

app_name = "accounts"
urlpatterns = [
    *organizations.paths,
    *audit.paths,
    *outgoing.paths,
]
