from django.urls import path

from accounts.audit import views as audit
from accounts.organizations import views as organizations

app_name = "accounts"
urlpatterns = [
    path("", organizations.organization, name="organization"),
    path("team/", organizations.team, name="team"),
    path("audit/", audit.log, name="audit"),
]
