"""Why a sign-in through an identity provider is refused: a fixed list, for the audit log and for the page."""

from enum import StrEnum


class Reason(StrEnum):
    """The word that the audit log keeps; `sentence` is what the person reads."""

    FORBIDDEN = "address_forbidden"
    UNREACHABLE = "provider_unreachable"
    NOT_OPENID = "provider_not_understood"
    ISSUER = "wrong_issuer"
    DECLINED = "declined_at_provider"
    PROVIDER_ERROR = "provider_error"
    ATTEMPT = "unknown_attempt"
    CODE = "code_refused"
    TOKEN = "malformed_token"
    ALGORITHM = "algorithm_not_allowed"
    SIGNATURE = "bad_signature"
    AUDIENCE = "wrong_audience"
    EXPIRED = "expired_token"
    NONCE = "wrong_nonce"
    SUBJECT = "wrong_subject"
    NOT_FRESH = "not_signed_in_anew"
    NO_EMAIL = "no_email"
    EMAIL_UNVERIFIED = "email_not_verified"
    EMAIL_OUTSIDE = "email_outside_domains"
    NOT_A_MEMBER = "not_a_member"
    OTHER_SUBJECT = "linked_to_another_subject"
    DEACTIVATED = "deactivated"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_FORGED = "What the identity provider sent does not hold. Start again; if it stays so, tell an owner."
_SENTENCES: dict[Reason, str] = {
    Reason.FORBIDDEN: "The identity provider leads to a link-local or metadata address, which is never called.",
    Reason.UNREACHABLE: "The identity provider does not answer.",
    Reason.NOT_OPENID: "The identity provider does not answer as an OpenID Connect issuer does.",
    Reason.ISSUER: "The answer comes from another issuer than the one that was asked.",
    Reason.DECLINED: "The sign-in was cancelled at the identity provider, or you are not assigned to Keyhaven there.",
    Reason.PROVIDER_ERROR: "The identity provider reports an error. An owner finds more in its own log.",
    Reason.ATTEMPT: "This sign-in was not begun in this browser, was used before, or took longer than ten minutes.",
    Reason.CODE: "The identity provider refused to hand out a token. An owner checks the client ID and the secret.",
    Reason.TOKEN: _FORGED,
    Reason.ALGORITHM: _FORGED,
    Reason.SIGNATURE: _FORGED,
    Reason.AUDIENCE: "The token is meant for another application. An owner checks the client ID.",
    Reason.EXPIRED: "The token has expired, or a clock is wrong: the provider's or this console's.",
    Reason.NONCE: _FORGED,
    Reason.SUBJECT: _FORGED,
    Reason.NOT_FRESH: "The identity provider did not ask you to sign in again, so it is not proved that it is you.",
    Reason.NO_EMAIL: "The identity provider tells no e-mail address. An owner allows the scope “email” there.",
    Reason.EMAIL_UNVERIFIED: "The identity provider has not verified your e-mail address.",
    Reason.EMAIL_OUTSIDE: "Your e-mail address is not in a domain that single sign-on is set up for.",
    Reason.NOT_A_MEMBER: "You are not a member. Ask an owner for an invitation.",
    Reason.OTHER_SUBJECT: "Your e-mail address is linked to another account at the identity provider. "
    "An owner can remove that link.",
    Reason.DEACTIVATED: "You are not a member. Ask an owner for an invitation.",
}


class Refused(Exception):
    """A sign-in does not happen. Holds no token and no code."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)
