"""Error pages in words, and the same as JSON below `/v1` (ui.md, accounts-api 2.2)."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template import TemplateDoesNotExist, loader
from django.templatetags.static import static

from polysim.kernel.api.errors import error_for_status, error_response
from polysim.kernel.api.middleware import is_api_path
from polysim.kernel.api.refusals import CsrfFailed
from polysim.kernel.errors import NotFound, PolysimError

logger = logging.getLogger(__name__)

PLAIN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1><p>{message}</p><p><a href="/">To the start page</a></p></html>"""
TITLES = {
    400: "This request could not be read",
    403: "This is not allowed",
    404: "There is nothing here",
    429: "Too many tries",
    500: "Something went wrong on our side",
    503: "Polysim is restarting",
}


def refusal(request: HttpRequest, error: PolysimError) -> HttpResponse:
    """The page for an expected refusal; `templates/errors/<status>.html` or `errors/error.html`."""
    if is_api_path(request.path_info):
        return error_response(error, request)
    title = TITLES.get(error.status, "This did not work")
    context = {"title": title, "message": error.message, "status": error.status, "error": error}
    response = HttpResponse(_render(request, context), status=error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response


def _render(request: HttpRequest, context: dict[str, object]) -> str:
    """The template, or a plain page when it is missing or fails itself."""
    context["request_id"] = getattr(request, "request_id", "")
    names = [f"errors/{context['status']}.html", "errors/error.html"]
    try:
        return loader.select_template(names).render(context, request)
    except TemplateDoesNotExist:
        pass
    except Exception:
        logger.exception("The error page failed")
    return PLAIN_PAGE.format(title=context["title"], message=context["message"])


def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for this name on pages that name no icon, such as the admin's."""
    return redirect(static("img/logo.svg"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: hosts, forms and bodies that Django refuses to read."""
    return refusal(request, error_for_status(400))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    return refusal(request, error_for_status(403))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: unknown addresses, and strangers' things."""
    return refusal(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a defect, already logged with its traceback."""
    return refusal(request, error_for_status(500))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form without its token, mostly a page that was open for too long."""
    return refusal(request, CsrfFailed())
