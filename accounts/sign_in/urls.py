"""The pages of django-allauth that are offered; the others, such as changing one's address, are not routed."""

from allauth.account import urls as account

OFFERED = {
    "account_login",
    "account_logout",
    "account_signup",  # closed; the login page refers to it
    "account_inactive",
    "account_reauthenticate",
    "account_change_password",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
}

urlpatterns = [pattern for pattern in account.urlpatterns if getattr(pattern, "name", None) in OFFERED]
