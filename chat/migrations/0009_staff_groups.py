from django.db import migrations

GROUPS = {  # name -> permissions, as app.action_model
    "Reviewer": ["chat.view_conversation", "chat.view_run"],
    "Assistant editor": [
        "chat.add_assistant",
        "chat.change_assistant",
        "chat.delete_assistant",
        "chat.view_assistant",
        "chat.view_toolserver",
    ],
    "User manager": ["auth.add_user", "auth.change_user", "auth.delete_user", "auth.view_user"],
}
MODEL_NAMES = {"toolserver": "tool server"}  # where the name in English is not that of the class


def create_groups(apps, schema_editor):
    """Creates the groups that do not exist yet. A group that an operator made or changed stays as it is.

    In a new database, Django creates the permissions only after the last migration, so those of the groups are created
    here. Django finds them then and adds the others.
    """
    Group = apps.get_model("auth", "Group")
    for name, permissions in GROUPS.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set([_permission(apps, permission) for permission in permissions])


def _permission(apps, permission):
    app, _, codename = permission.partition(".")
    action, _, model = codename.partition("_")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    return apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type,
        codename=codename,
        defaults={"name": f"Can {action} {MODEL_NAMES.get(model, model)}"},
    )[0]


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0008_stored_files"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
