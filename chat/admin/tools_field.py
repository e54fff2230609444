"""The tools of an assistant as a table of checkboxes: which it may use, and which ask first."""

import inspect
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import tools
from ..events import clean_text, shorten
from ..models import ToolServer

LISTS = ("tools", "ask_first", "ask_every_time")
MAX_DESCRIPTION_LENGTH = 150  # characters of the description of a server's tool


@dataclass
class Row:
    name: str
    description: str
    always_asks: bool = False
    is_used: bool = False
    asks_first: bool = False
    always_asks_each_time: bool = False
    asks_each_time: bool = False
    may_use: bool = True  # False: it can only be asked for first
    label: str = ""  # where it is not the name
    lists: str = ""  # the slug of the server whose tools a button lists


class ToolsWidget(forms.Widget):
    """The value is a dict with the names in each of LISTS."""

    def __init__(self):
        super().__init__()
        self.rows: list[Row] = []
        self.list_url = ""  # where a server's tools are listed, for those who may do that

    def value_from_datadict(self, data, files, name):
        boxes = ("use", "ask", "each")
        return {key: data.getlist(f"{name}_{box}") for key, box in zip(LISTS, boxes, strict=True)}

    def value_omitted_from_data(self, data, files, name):
        return False

    def id_for_label(self, id_):
        return ""

    def render(self, name, value, attrs=None, renderer=None):
        rows = [
            replace(
                row,
                is_used=row.name in value["tools"],
                asks_first=row.name in value["ask_first"],
                asks_each_time=row.name in value["ask_every_time"],
            )
            for row in [*self.rows, *self._missing_rows(value)]
        ]
        return render_to_string("admin/chat/tools.html", {"name": name, "rows": rows, "list_url": self.list_url})

    def _missing_rows(self, value):
        """Yields a row for each name that has none: saving the form would lose it."""
        known = {row.name for row in self.rows}
        slugs = {row.lists for row in self.rows if row.lists}
        for name in dict.fromkeys(name for key in LISTS for name in value[key]):
            if name not in known:
                is_unlisted = _is_of_server(name, slugs)
                text = gettext("not among the listed tools") if is_unlisted else gettext("not available at the moment")
                yield Row(name, text, may_use=name in value["tools"])


class ToolsField(forms.Field):
    def __init__(self, **kwargs):
        super().__init__(required=False, widget=ToolsWidget, **kwargs)
        self.before: dict[str, list[str]] = {key: [] for key in LISTS}

    def load(self, used: Any, ask_first: Any, ask_every_time: Any) -> dict[str, Any]:
        """Reads the rows of the table; returns the value for an assistant with these tools."""
        assert isinstance(self.widget, ToolsWidget)
        self.widget.rows = [*_own_tools(), *_server_rows()]
        lists = zip(LISTS, (used, ask_first, ask_every_time), strict=True)
        self.before = {key: [name for name in names if isinstance(name, str)] for key, names in lists}
        return self.before

    def clean(self, value):
        """Returns (tools, ask_first, ask_every_time).

        What was saved before is accepted even if it is not available now.
        """
        servers = dict(ToolServer.objects.values_list("slug", "is_enabled"))
        for key in LISTS:
            for name in value[key]:
                if name not in self.before[key]:
                    self._check(name, servers, allow_server_tools=key != "tools")
        return tuple(list(dict.fromkeys(value[key])) for key in LISTS)

    def has_changed(self, initial, data):
        return initial != data

    def _check(self, name, servers, allow_server_tools):
        """Raises ValidationError for an unknown tool; `servers` maps slugs to whether the server is enabled.

        Whether a server has a tool is only known when it is used.
        """
        if name in tools.REGISTRY:
            return
        if name.startswith(tools.MCP_PREFIX):
            slug = tools.server_of(name)
            if slug not in servers:
                raise ValidationError(gettext("There is no tool server called “%(server)s”.") % {"server": slug})
            if not servers[slug]:
                raise ValidationError(gettext("The tool server “%(server)s” is not enabled.") % {"server": slug})
            return
        if not (allow_server_tools and _is_of_server(name, servers)):
            raise ValidationError(gettext("There is no tool called “%(tool)s”.") % {"tool": name})


def _is_of_server(name, slugs):
    """Returns whether this is a tool of one of these servers, by either of its names."""
    if name.startswith(tools.MCP_PREFIX):
        return tools.server_of(name) in slugs
    return name.removeprefix("_").startswith(tuple(f"{slug}_" for slug in slugs))


def _own_tools():
    for name in sorted(tools.REGISTRY):
        try:
            function: Any = tools.get_tool(name)
        except Exception:  # whatever an import may raise
            yield Row(name, gettext("not available at the moment"))
            continue
        text = getattr(function, "description", "") or inspect.getdoc(function) or ""
        always, each_time = (getattr(function, mark, False) for mark in ("asks_first", "asks_every_time"))
        yield Row(name, str(text).split("\n", 1)[0], always, always_asks_each_time=each_time)


def _server_rows():
    """Yields a row for each server and, below it, one for each of its tools when they were last listed."""
    for server in ToolServer.objects.filter(is_enabled=True):
        name = f"{tools.MCP_PREFIX}{server.slug}"
        yield Row(name, _("all tools of the tool server %(server)s") % {"server": server.slug}, lists=server.slug)
        for tool in server.listed_tools:
            yield Row(f"{name}/{tool['name']}", tool["description"], tool["asks_first"], label=tool["name"])


def keep_tools(server, offered):
    """Stores the tools that the server offers, for the rows: those whose names a form sends back as they are."""
    server.listed_tools = [
        {
            "name": tool.server_name,
            "description": shorten(clean_text(tool.description), MAX_DESCRIPTION_LENGTH),
            "asks_first": tool.asks_first,
        }
        for tool in offered
        if tool.server_name.isprintable()
    ]
    server.save(update_fields=["listed_tools"])
