"""The pages of signing in. Those of django-allauth that are not here, such as changing one's address, are not routed."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from django.urls import path, re_path

from accounts.sign_in import first_views, proof, views

urlpatterns = [
    path("login/", views.SignInView.as_view(), name="account_login"),
    path("logout/", views.SignOutView.as_view(), name="account_logout"),
    path("first/", first_views.fill_in, name="first_start_form"),
    path("first/<str:token>/", first_views.open_link, name="first_start"),
    path("signup/", account.signup, name="account_signup"),  # closed; allauth refers to it
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("passkey/", views.passkey, name="sign_in_passkey"),
    path("passkey/options/", views.passkey_options, name="passkey_options"),
    path("second-factor/", mfa.authenticate, name="mfa_authenticate"),
    path("reauthenticate/", proof.prove, name="account_reauthenticate"),
    path("second-factor/show/", proof.prove, {"factor_only": True}, name="account_show_factor"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.ResetFromKeyView.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
