"""Says what a deletion deletes: how many rows of each kind."""

from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst


class CountedDeletionMixin:
    """Counts the rows that go with an object, where Django loads and lists them one by one.

    Django also wants the permission to delete each of them from the admin. Here it is enough to be allowed to delete
    the object: the conversations of a user have no permission of their own.
    """

    def get_deleted_objects(self, objs, request):
        opts = self.opts  # type: ignore[attr-defined]
        objects = list(objs)
        page = f"admin:{opts.app_label}_{opts.model_name}_change"
        links = [
            format_html('{}: <a href="{}">{}</a>', capfirst(opts.verbose_name), reverse(page, args=[obj.pk]), obj)
            for obj in objects
        ]
        counts = {opts.verbose_name_plural: len(objects)} | _dependent_rows(opts.model, objects)
        forbidden = [obj for obj in objects if not self.has_delete_permission(request, obj)]  # type: ignore[attr-defined]
        return links, counts, {opts.verbose_name} if forbidden else set(), []


def _dependent_rows(model, objects):
    """Returns {the plural of a model's name: how many of its rows are deleted with these objects}."""
    counts: dict = {}
    visited = {model}
    waiting = [(model, "")]
    while waiting:
        parent, path = waiting.pop(0)
        for relation in parent._meta.get_fields(include_hidden=True):
            if not _cascades(relation) or relation.related_model in visited:
                continue
            if relation.related_model._meta.pk.is_relation:  # a part of the row whose key it has
                continue
            child, lookup = relation.related_model, f"{relation.field.name}__{path}" if path else relation.field.name
            visited.add(child)
            waiting.append((child, lookup))
            count = child._base_manager.filter(**{f"{lookup}__in": objects}).count()
            if count and not child._meta.auto_created:
                counts[child._meta.verbose_name_plural] = count
    return counts


def _cascades(relation):
    return isinstance(relation, models.ForeignObjectRel) and getattr(relation, "on_delete", None) is models.CASCADE
