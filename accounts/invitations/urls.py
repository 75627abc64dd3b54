"""The pages of invitations, for those who invite and for those who are invited."""

from django.urls import path

from accounts.invitations import coming, views

paths = [
    path("team/invite/", views.invite, name="invite"),
    path("team/invitations/<uuid:invitation>/resend/", views.resend, name="invitation_resend"),
    path("team/invitations/<uuid:invitation>/revoke/", views.revoke, name="invitation_revoke"),
]
personal = [
    path("invitation/", coming.show, name="invitation"),
    path("invitation/accept/", coming.accept, name="invitation_accept"),
    path("invitation/register/", coming.register, name="invitation_register"),
    path("invitation/claim/", coming.claim, name="invitation_claim"),
    path("invitation/decline/", coming.decline, name="invitation_decline"),
    path("join/<str:token>/", coming.link, name="invitation_link"),
]
