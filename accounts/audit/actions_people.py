"""The codes of the audit log that concern people: signing in, roles, invitations, tokens, the organization."""

from accounts.audit.codes import Group
from accounts.audit.codes import done as _done
from accounts.audit.codes import failed as _failed
from accounts.audit.codes import refused as _refused

PEOPLE = (
    Group(
        "sign_in",
        "Signing in and out",
        (
            _done("sign_in.succeeded", "signed in"),
            _failed("sign_in.failed", "refused a sign-in as {}"),
            _refused("sign_in.limited", "held up tries to sign in as {}"),
            _refused("sign_in.refused", "was not let in"),
            _done("signed_out", "signed out"),
            _done("session.ended", "ended a session of {}"),
            _done("person.disabled", "disabled the account of {}"),
            _done("person.enabled", "enabled the account of {} again"),
            _done("sudo.granted", "proved again who it is"),
            _failed("sudo.failed", "failed to prove again who it is"),
        ),
    ),
    Group(
        "password",
        "Passwords and second factors",
        (
            _done("profile.changed", "changed the profile of {}"),
            _done("password.changed", "changed the password of {}"),
            _done("password.reset", "reset the password of {}"),
            _done("second_factor.added", "added a second factor to {}"),
            _done("second_factor.removed", "removed a second factor from {}"),
            _done("passkey.added", "added a passkey to {}"),
            _done("passkey.renamed", "renamed a passkey of {}"),
            _done("passkey.removed", "removed a passkey from {}"),
            _done("recovery_codes.made", "made new recovery codes for {}"),
            _done("recovery_codes.used", "used a recovery code of {}"),
        ),
    ),
    Group(
        "identity_provider",
        "Single sign-on and sign-in rules",
        (
            _done("identity_provider.set", "set the identity provider of {}"),
            _done("identity_provider.removed", "removed the identity provider of {}"),
            _done("identity_provider.tested", "tested the identity provider of {}"),
            _failed("identity_provider.test_failed", "tested the identity provider of {}, which failed"),
            _done("identity_provider.unlinked", "removed the link of {} to the identity provider"),
            _done("sign_in_rules.changed", "changed how members of {} sign in"),
        ),
    ),
    Group(
        "permission",
        "Refusals",
        (_refused("permission.refused", "was refused"),),
    ),
    Group(
        "organization",
        "Organization",
        (
            _done("organization.created", "created the organization {}"),
            _done("organization.renamed", "renamed the organization {}"),
            _done("organization.closed", "closed the organization {}"),
            _done("organization.transferred", "handed the organization over to {}"),
            _done("organization.default_tags_changed", "changed the default tags of {}"),
        ),
    ),
    Group(
        "member",
        "Members and roles",
        (
            _done("member.added", "added the member {}"),
            _done("member.changed", "changed the roles of {}"),
            _done("member.removed", "removed the member {}"),
            _done("member.left", "left the organization"),
            _done("role.created", "created the role {}"),
            _done("role.changed", "changed the role {}"),
            _done("role.deleted", "deleted the role {}"),
        ),
    ),
    Group(
        "invitation",
        "Invitations",
        (
            _done("invitation.sent", "invited {}"),
            _done("invitation.resent", "sent the invitation of {} again"),
            _done("invitation.revoked", "revoked the invitation of {}"),
            _done("invitation.accepted", "accepted the invitation of {}"),
            _done("invitation.declined", "declined the invitation of {}"),
            _refused("invitation.refused", "could not use the invitation of {}"),
        ),
    ),
    Group(
        "token",
        "API tokens",
        (
            _done("token.created", "created the API token {}"),
            _done("token.changed", "changed the API token {}"),
            _done("token.revoked", "revoked the API token {}"),
            _done("token.used", "used the API token {}"),
            _refused("token.refused", "was refused with the API token {}"),
        ),
    ),
)
