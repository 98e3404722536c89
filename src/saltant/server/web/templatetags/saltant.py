"""How values are shown on pages."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import template
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from saltant.server.web import navigation, zones
from saltant.server.web.words import MARKS, bytes_text, duration_text

register = template.Library()


@register.simple_tag
def state(name: str, word: str = "") -> SafeString:
    """A state: colour, mark and word."""
    mark = MARKS.get(name, "·")
    return format_html(
        '<span class="state {}"><span aria-hidden="true">{}</span><span>{}</span></span>', name, mark, word or name
    )


@register.simple_tag
def moment(value: datetime | str | None, when: str = "at", empty: str = "") -> SafeString:
    """A time (`at`), a time ago (`ago`) or the time since then (`since`).

    It is in the zone of who looks at it; of who has chosen none it is in UTC, until a script makes it the browser's.
    """
    if not value:
        return format_html('<span class="quiet">{}</span>', empty) if empty else SafeString("")
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    time = time.astimezone(UTC)
    return format_html(
        '<time datetime="{}" data-when="{}"{}>{}</time>',
        time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        when,
        " data-zoned" if zones.chosen() else "",
        duration_text(max(0, (timezone.now() - time).total_seconds())) if when == "since" else zones.text(time),
    )


@register.simple_tag
def took(begin: datetime | str | None, end: datetime | str | None) -> SafeString:
    """How long something took; of what goes on, how long so far."""
    if not begin:
        return SafeString("")
    if not end:
        return moment(begin, "since")
    first, last = (datetime.fromisoformat(each) if isinstance(each, str) else each for each in (begin, end))
    return format_html("{}", duration_text((last - first).total_seconds()))


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds in words."""
    return "" if seconds is None else duration_text(seconds)


@register.filter
def size(number: float | None) -> str:
    """Bytes in words."""
    return "" if number is None else bytes_text(number)


@register.filter
def pretty(value: Any) -> str:
    """A value as JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def first_line(text: str) -> str:
    """The first line of a text that says something."""
    return text.strip().partition("\n")[0].strip()


@register.filter(name="json")
def as_json(value: Any) -> str:
    """A value as JSON, on one line."""
    return json.dumps(value, ensure_ascii=False)


@register.filter
def plainly(value: Any) -> str:
    """A value as people say it: texts as they are, lists of texts with commas, all else as JSON."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:.15g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@register.filter
def short(uuid: object) -> str:
    """As much of a UUID as tells it from others."""
    return str(uuid)[:8]


@register.filter
def attribute(thing: object, name: str) -> Any:
    """What a thing holds under a name."""
    return getattr(thing, name)


@register.filter
def get(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value of a key, or nothing."""
    return mapping.get(key, "") if mapping else ""


@register.inclusion_tag("web/parts/navigation.html", takes_context=True)
def navigate(context: Any) -> dict[str, Any]:
    """The navigation, for who looks at it."""
    user = context["user"]
    places = [place for place in navigation.PLACES if user.is_admin or not place.for_admins]
    return {"places": places, "here": context.get("place", "")}


@register.simple_tag
def my_places() -> tuple[navigation.Place, ...]:
    """The pages about oneself."""
    return navigation.MINE


@register.inclusion_tag("web/parts/code.html")
def code(text: str, name: str, label: str = "", copy: str = "Copy") -> dict[str, str]:
    """A text to be copied; `name` is its id on the page, `label` says what it is to those who do not see it."""
    return {"text": text, "name": name, "label": label or name, "copy": copy}


@register.simple_tag(takes_context=True)
def replaced(context: Any, **changes: Any) -> str:
    """The query of this page with some parameters changed, or taken away by an empty value."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in ("", None):
            query[name] = str(value.pk) if isinstance(value, Model) else str(value)
    return f"?{query.urlencode()}"
