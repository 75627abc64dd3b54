"""The pages of people and the audit log, each beside its resource."""

from accounts.audit import urls as audit
from accounts.custom_roles import urls as custom_roles
from accounts.invitations import urls as invitations
from accounts.members import urls as members
from accounts.organizations import urls as organizations
from accounts.outgoing import urls as outgoing
from accounts.single_sign_on import urls as single_sign_on
from accounts.tokens import urls as tokens

app_name = "accounts"
urlpatterns = [
    *organizations.paths,
    *members.paths,
    *invitations.paths,
    *custom_roles.paths,
    *audit.paths,
    *single_sign_on.paths,
    *tokens.paths,
    *outgoing.paths,
]
