"""Django's admin of users and groups, with the bounds of the other lists."""

from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from .base import BoundedMixin

admin.site.unregister(get_user_model())
admin.site.unregister(Group)


@admin.register(get_user_model())
class UserAdmin(BoundedMixin, auth.UserAdmin):
    pass


@admin.register(Group)
class GroupAdmin(BoundedMixin, auth.GroupAdmin):
    pass
