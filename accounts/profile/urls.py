"""The pages of a person's own account."""

from django.urls import path

from accounts.profile import factor_views, views

urlpatterns = [
    path("", views.profile, name="account_profile"),
    path("password/", views.password, name="account_change_password"),
    path("sessions/", views.list_sessions, name="account_sessions"),
    path("sessions/end-others/", views.end_other_sessions, name="account_end_other_sessions"),
    path("sessions/<int:session>/end/", views.end_session, name="account_end_session"),
    path("second-factors/", factor_views.index, name="account_factors"),
    path("second-factors/app/", factor_views.add_app, name="account_add_app"),
    path("second-factors/passkeys/add/", factor_views.add_passkey, name="account_add_passkey"),
    path("second-factors/passkeys/options/", factor_views.passkey_options, name="account_passkey_options"),
    path("second-factors/<int:factor>/rename/", factor_views.rename_passkey, name="account_rename_passkey"),
    path("second-factors/<int:factor>/remove/", factor_views.remove, name="account_remove_factor"),
    path("second-factors/recovery-codes/", factor_views.make_codes, name="account_recovery_codes"),
]
