"""The pages of single sign-on: in an organization's settings, and outside of organizations."""

from django.urls import path

from accounts.single_sign_on import settings, views

paths = [
    path("settings/sign-in/", settings.sign_in_rules, name="sign_in_rules"),
    path("settings/sign-in/rules/", settings.change_sign_in_rules, name="change_sign_in_rules"),
    path("settings/sign-in/test/", settings.test_sign_in, name="test_sign_in"),
    path("settings/sign-in/remove/", settings.remove_identity_provider, name="remove_identity_provider"),
    path("settings/sign-in/unlink/", settings.unlink_identity, name="unlink_identity"),
]

outside = [
    path("sso/", views.where, name="sso"),
    path("sso/<slug:slug>/", views.enter, name="sso_enter"),
    path("sso/<slug:slug>/callback/", views.callback, name="sso_callback"),
    path("sso/<slug:slug>/needed/", views.needed, name="sso_needed"),
    path("sso/<slug:slug>/again/", views.again, name="sso_again"),
    path("signed-in-elsewhere/", views.elsewhere, name="sso_elsewhere"),
]
