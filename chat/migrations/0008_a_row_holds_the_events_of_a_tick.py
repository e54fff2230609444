from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0007_runs_speak_a_language")]
    operations = [
        migrations.AlterField(
            model_name="runevent",
            name="data",
            field=models.TextField(help_text="The events' JSON: see chat.events.pack."),
        ),
        # Going back lets the events go, whose readers then get a snapshot instead.
        migrations.RunSQL("UPDATE chat_runevent SET data = '[' || data || ']'", "DELETE FROM chat_runevent"),
    ]
