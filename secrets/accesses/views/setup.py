"""What people run in their own cloud, for everybody to read: nothing in it is a secret."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

from accesses.setup import cloudformation, google_script

# Minutes, so that a new version of the console is soon what people get.
CACHED = "public, max-age=300"


@require_safe
@condition(etag_func=lambda request: f'"{cloudformation.digest()}"')
def template(request: HttpRequest) -> HttpResponse:
    """Answer the CloudFormation template as a file."""
    return _file(cloudformation.text(), "text/yaml", f'attachment; filename="{cloudformation.FILE}"')


@require_safe
@condition(etag_func=lambda request: f'"{google_script.digest()}"')
def script(request: HttpRequest) -> HttpResponse:
    """Answer the script for Google's Cloud Shell."""
    return _file(google_script.text(), "text/x-shellscript", f'inline; filename="{google_script.FILE}"')


def _file(text: str, kind: str, disposition: str) -> HttpResponse:
    headers = {
        "Content-Disposition": disposition,
        "Cache-Control": CACHED,
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text, content_type=f"{kind}; charset=utf-8", headers=headers)
