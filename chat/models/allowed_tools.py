"""The tools that may run in a conversation without asking its owner each time."""

from collections.abc import Collection

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import Refused

MAX_ALLOWED_TOOLS = 100  # of one conversation


class WithAllowedTools(models.Model):
    """The column and the methods of a conversation about its allowed tools."""

    allowed_tools = models.JSONField(  # tool key -> version: see tools.Tool
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        editable=False,
        help_text=_("Tools that its owner allowed to run here without asking."),
    )

    class Meta:
        abstract = True

    def allows_tool(self, key: str, version: str) -> bool:
        """Returns whether its owner has allowed this version of the tool to run without asking. Sync; one query."""
        return self._stored_allowed_tools().get(key) == version

    def allow_tools(self, tools: dict[str, str]) -> None:
        """Lets these tools (key -> version) run without asking from now on. Sync, while the row is locked."""
        allowed = self._stored_allowed_tools() | tools
        if len(allowed) > MAX_ALLOWED_TOOLS:
            raise Refused(
                gettext("Too many tools are allowed in this chat. Remove one, then try again."),
                "too_many_allowed_tools",
                409,
            )
        self._set_allowed_tools(allowed)

    def keep_allowed_tools(self, keys: Collection[str]) -> None:
        """Lets all tools but these ask again. Sync, while the row is locked."""
        stored = self._stored_allowed_tools()
        self._set_allowed_tools({key: stored[key] for key in stored if key in keys})

    def _stored_allowed_tools(self) -> dict[str, str]:
        rows = type(self)._default_manager.filter(models.Q(deleted_at=None), pk=self.pk)
        return rows.values_list("allowed_tools", flat=True).first() or {}

    def _set_allowed_tools(self, tools: dict[str, str]) -> None:
        type(self)._default_manager.filter(pk=self.pk).update(allowed_tools=tools)
        self.allowed_tools = tools
