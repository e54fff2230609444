"""Django's admin of users and groups: nobody gives, takes or takes over rights that they do not have themselves."""

from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from .base import BoundedMixin
from .deletion import CountedDeletionMixin
from .formats import EMPTY_VALUE, format_time

admin.site.unregister(get_user_model())
admin.site.unregister(Group)

SUPERUSER_FIELDS = {"is_superuser", "user_permissions"}  # only superusers may change these


@admin.register(get_user_model())
class UserAdmin(CountedDeletionMixin, BoundedMixin, auth.UserAdmin):
    """Staff who are not superusers change only accounts, and assign only groups, with no more rights than their own.

    Otherwise, they could set the password of a superuser, or make themselves reviewers.
    """

    actions = None
    list_per_page = 50
    list_display = ["username", "full_name", "email", "is_active", "is_staff", "group_names", "last_seen", "joined"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups", "date_joined"]
    search_help_text = _("Search usernames, names and email addresses.")

    class Media:
        css = {"all": ["chat/css/admin.css"]}

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=_("name"), ordering="last_name")
    def full_name(self, user):
        return user.get_full_name() or EMPTY_VALUE

    @admin.display(description=_("groups"))
    def group_names(self, user):
        return ", ".join(sorted(group.name for group in user.groups.all())) or EMPTY_VALUE

    @admin.display(description=_("last login"), ordering="last_login")
    def last_seen(self, user):
        return format_time(user.last_login) or EMPTY_VALUE

    @admin.display(description=_("date joined"), ordering="date_joined")
    def joined(self, user):
        return format_time(user.date_joined)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and _may_change(request.user, obj)

    def has_delete_permission(self, request, obj=None):
        if obj is not None and obj.pk == request.user.pk:
            return False
        return super().has_delete_permission(request, obj) and _may_change(request.user, obj)

    def get_fieldsets(self, request, obj=None):
        fieldsets = super().get_fieldsets(request, obj)
        if request.user.is_superuser or not self.has_change_permission(request, obj):
            return fieldsets
        return [
            (name, {**options, "fields": [field for field in options["fields"] if field not in SUPERUSER_FIELDS]})
            for name, options in fieldsets
        ]

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        if db_field.name == "groups" and not request.user.is_superuser:
            kwargs["queryset"] = _groups_to_assign(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(Group)
class GroupAdmin(BoundedMixin, auth.GroupAdmin):
    """Groups decide what staff may do, so only superusers change them."""

    actions = None
    list_display = ["name", "members"]

    def get_queryset(self, request):
        return super().get_queryset(request).annotate(user_count=Count("user", distinct=True))

    @admin.display(description=_("users"), ordering="user_count")
    def members(self, group):
        return group.user_count

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser


def _may_change(user, account):
    """Returns whether this user has all rights that the account has or, while it is not active, would have."""
    if account is None or user.is_superuser:
        return True
    return not account.is_superuser and not _permissions(account).exclude(pk__in=_permissions(user)).exists()


def _groups_to_assign(user):
    return Group.objects.exclude(permissions__in=Permission.objects.exclude(pk__in=_permissions(user)))


def _permissions(user):
    """Returns the permissions of a user and of their groups, unordered, as a subquery."""
    return Permission.objects.order_by().filter(Q(user=user) | Q(group__user=user)).values("pk")
