"""Template tags of the BackOffice: times in the firm's zone, rows of lists, fields of forms."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from tenants.office.cells import moment_text

register = template.Library()


@register.simple_tag
def at(moment: datetime | None) -> SafeString:
    """A time in the firm's zone with UTC on hover."""
    return moment_text(moment)


@register.filter
def heads(cl: Any) -> Iterator[dict[str, Any]]:
    """The headings of a list; those that can be sorted carry the address that sorts by them."""
    sorted_by = cl.get_ordering_field_columns()
    for index, name in enumerate(cl.list_display):
        method = getattr(cl.model_admin, name)
        head = {
            "words": method.short_description,
            "is_number": method.is_number,
            "order": sorted_by.get(index, ""),
            "link": "",
        }
        if method.admin_order_field:
            change = index if sorted_by.get(index) == "desc" else f"-{index}"
            head["link"] = cl.get_query_string({ORDER_VAR: change}, [PAGE_VAR])
        yield head


@register.filter
def body(cl: Any) -> SafeString:
    """The rows of a page. Made here at once: as a template 400 cells take longer than the page."""
    columns = [
        (
            getattr(cl.model_admin, name),
            format_html(
                '<td{} data-l="{}"><span class="v">',
                SafeString(' class="num"') if getattr(cl.model_admin, name).is_number else "",
                getattr(cl.model_admin, name).short_description,
            ),
        )
        for name in cl.list_display
    ]
    made = []
    for row in cl.result_list:
        cells = "".join(
            f"{opening}{conditional_escape(method(row))}</span></td>" for method, opening in columns
        )
        made.append(f"<tr>{cells}</tr>\n")
    # Every cell was escaped above.
    return mark_safe("".join(made))  # noqa: S308


@register.simple_tag
def page_link(cl: Any, number: int) -> str:
    """The address of another page of the same list."""
    link: str = cl.get_query_string({PAGE_VAR: number})
    return link


@register.filter
def filter_state(spec: Any, cl: Any) -> dict[str, Any]:
    """A filter of a list as a menu: what is chosen, and all choices."""
    choices = list(spec.choices(cl))
    chosen = next((choice for choice in choices if choice.get("selected")), None)
    is_on = chosen is not None and chosen is not choices[0]
    return {"title": spec.title, "choices": choices, "chosen": chosen, "is_on": is_on}


@register.filter
def normal(number: Decimal) -> str:
    """A Decimal without needless zeros: 5.120000 -> 5.12."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
