from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0017_import_waiting")]
    operations = [
        migrations.AddField("searchtext", "file_names", models.TextField(db_default="", default="")),
    ]
