"""What people run in their own cloud, as files for everybody to read: nothing in it is a secret."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

from credentials.clouds.aws import stacks

# Minutes, so that a new version of the console is soon what people get.
CACHED = "public, max-age=300"


@require_safe
@condition(etag_func=lambda request: f'"{stacks.CONSOLE.digest}"')
def console_template(request: HttpRequest) -> HttpResponse:
    """Answer the CloudFormation template of the console's role."""
    return answer(stacks.CONSOLE.text, "text/yaml", f'attachment; filename="{stacks.CONSOLE.file}"')


def answer(text: str, kind: str, disposition: str) -> HttpResponse:
    """Answer a text as a file."""
    headers = {
        "Content-Disposition": disposition,
        "Cache-Control": CACHED,
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text, content_type=f"{kind}; charset=utf-8", headers=headers)
