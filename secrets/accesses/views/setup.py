"""What people run in their own cloud, for everybody to read: nothing in it is a secret."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

from accesses.setup import cloudformation, google_script
from credentials import downloads


@require_safe
@condition(etag_func=lambda request: f'"{cloudformation.digest()}"')
def template(request: HttpRequest) -> HttpResponse:
    """Answer the CloudFormation template as a file."""
    return downloads.answer(
        cloudformation.text(), "text/yaml", f'attachment; filename="{cloudformation.FILE}"'
    )


@require_safe
@condition(etag_func=lambda request: f'"{google_script.digest()}"')
def script(request: HttpRequest) -> HttpResponse:
    """Answer the script for Google's Cloud Shell."""
    return downloads.answer(
        google_script.text(), "text/x-shellscript", f'inline; filename="{google_script.FILE}"'
    )
