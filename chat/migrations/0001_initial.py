import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SeededAssistant',
            fields=[
                ('slug', models.SlugField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name='ToolServer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=30, unique=True, verbose_name='slug')),
                ('transport', models.CharField(choices=[('stdio', 'stdio'), ('http', 'streamable HTTP')], default='http', max_length=10, verbose_name='transport')),
                ('command', models.JSONField(blank=True, default=list, help_text='For stdio: the program and its arguments, such as ["uvx", "mcp-server-time"].', verbose_name='command')),
                ('env', models.JSONField(blank=True, default=dict, help_text='For stdio: environment variables of the program. It does not inherit those of the site.', verbose_name='environment variables')),
                ('url', models.CharField(blank=True, help_text="For HTTP: the server's URL, such as http://127.0.0.1:8931/mcp.", max_length=200, verbose_name='URL')),
                ('headers', models.JSONField(blank=True, default=dict, help_text='For HTTP: headers to send, such as Authorization.', verbose_name='headers')),
                ('is_enabled', models.BooleanField(default=True, verbose_name='enabled')),
            ],
            options={
                'verbose_name': 'tool server',
                'verbose_name_plural': 'tool servers',
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='ServerProcess',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('beat', models.PositiveBigIntegerField(default=0)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='Assistant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True, verbose_name='slug')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('description', models.CharField(blank=True, max_length=300, verbose_name='description')),
                ('model', models.CharField(help_text='provider:model, such as openai:gpt-5-mini or demo:', max_length=200, verbose_name='model')),
                ('system_prompt', models.TextField(blank=True, verbose_name='system prompt')),
                ('tools', models.JSONField(blank=True, default=list, help_text='A list of tool names, such as ["clock"].', verbose_name='tools')),
                ('ask_first', models.JSONField(blank=True, default=list, help_text='Tools that run only after the user has approved, in addition to those that always ask.', verbose_name='tools that need approval')),
                ('params', models.JSONField(blank=True, default=dict, help_text='Sent to the model with each request, such as {"temperature": 0.2}. For openai: models, base_url and api_key_env (the name of the environment variable that holds the key) select another server.', verbose_name='parameters')),
                ('memory_turns', models.PositiveSmallIntegerField(blank=True, help_text='Number of turns sent to the model, including the current one. Leave empty for all turns, or five if the assistant has tools.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='turns to remember')),
                ('max_model_calls', models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(50)], verbose_name='maximum model calls')),
                ('sees_images', models.BooleanField(default=False, help_text='Whether the model accepts images.', verbose_name='supports images')),
                ('starters', models.JSONField(blank=True, default=list, help_text='Suggestions for a first message, such as ["Plan a trip to Kyoto"].', verbose_name='starters')),
                ('is_default', models.BooleanField(default=False, verbose_name='default')),
                ('is_enabled', models.BooleanField(default=True, verbose_name='enabled')),
            ],
            options={
                'verbose_name': 'assistant',
                'verbose_name_plural': 'assistants',
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('is_default',), name='one_default_assistant')],
            },
        ),
        migrations.CreateModel(
            name='Conversation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('title', models.CharField(blank=True, max_length=200)),
                ('title_by', models.CharField(blank=True, choices=[('text', 'the first message'), ('assistant', 'the assistant'), ('user', 'the user')], help_text='Where the title comes from. A title set by the user is never replaced.', max_length=10)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='last activity')),
                ('pinned_at', models.DateTimeField(blank=True, null=True)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('deleted_at', models.DateTimeField(blank=True, help_text='Time of deletion. The conversation can be restored for a short time.', null=True)),
                ('is_temporary', models.BooleanField(default=False, help_text='Hidden from the list, and deleted when the user leaves the conversation.')),
                ('assistant', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='conversations', to='chat.assistant', verbose_name='assistant')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='conversations', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
            ],
            options={
                'verbose_name': 'conversation',
                'verbose_name_plural': 'conversations',
                'ordering': ['-updated_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('role', models.CharField(choices=[('user', 'user'), ('assistant', 'assistant')], max_length=10)),
                ('parts', models.JSONField(default=list, help_text='Message parts. See chat.parts for their types.')),
                ('text', models.TextField(blank=True, help_text='The text parts as one text, for search.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('feedback', models.JSONField(blank=True, help_text='The owner\'s rating: {"rating": "up" or "down", "reason", "comment"}.', null=True)),
                ('conversation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='chat.conversation')),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='children', to='chat.message')),
            ],
            options={
                'verbose_name': 'message',
                'verbose_name_plural': 'messages',
                'ordering': ['created_at', 'id'],
            },
        ),
        migrations.AddField(
            model_name='conversation',
            name='leaf',
            field=models.ForeignKey(blank=True, help_text='Last message of the branch that the user is viewing. Empty: the newest message.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='chat.message'),
        ),
        migrations.CreateModel(
            name='Attachment',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('data', models.BinaryField()),
                ('media_type', models.CharField(max_length=50)),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to=settings.AUTH_USER_MODEL)),
                ('message', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='chat.message')),
            ],
            options={
                'verbose_name': 'attachment',
                'verbose_name_plural': 'attachments',
                'ordering': ['created_at'],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('model', models.CharField(max_length=200, verbose_name='model')),
                ('status', models.CharField(choices=[('queued', 'queued'), ('in_progress', 'in progress'), ('completed', 'completed'), ('failed', 'failed'), ('cancelled', 'cancelled'), ('interrupted', 'interrupted')], default='queued', max_length=20, verbose_name='status')),
                ('error_code', models.CharField(blank=True, max_length=50, verbose_name='error code')),
                ('error_message', models.TextField(blank=True, help_text='The message shown to the user.', verbose_name='error')),
                ('finish_reason', models.CharField(blank=True, max_length=50, verbose_name='finish reason')),
                ('usage', models.JSONField(blank=True, default=list, help_text="For each model call: provider, model, and token counts named as in AG-UI's TokenUsage.")),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created')),
                ('started_at', models.DateTimeField(null=True)),
                ('first_token_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('idempotency_key', models.CharField(max_length=200, null=True, verbose_name='idempotency key')),
                ('process_id', models.UUIDField(help_text='The process that is writing the reply.', null=True, verbose_name='process')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('cancel_requested', models.BooleanField(default=False, help_text='Another process has asked to stop this run.', verbose_name='cancel requested')),
                ('last_seq', models.PositiveIntegerField(help_text='Sequence number of the terminal event, once the run has ended.', null=True, verbose_name='last sequence number')),
                ('time_zone', models.CharField(blank=True, help_text="The user's time zone, as an IANA name.", max_length=64, verbose_name='time zone')),
                ('language', models.CharField(blank=True, help_text="Language of the run's own notices.", max_length=10, verbose_name='language')),
                ('interrupts', models.JSONField(blank=True, default=list, help_text="AG-UI interrupts that wait for the user's answer.", verbose_name='pending approvals')),
                ('decisions', models.JSONField(blank=True, default=dict, help_text="For a run that resumes another: the user's decision, or the result, for each tool call.", verbose_name='approval decisions')),
                ('assistant', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='chat.assistant', verbose_name='assistant')),
                ('conversation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='chat.conversation', verbose_name='conversation')),
                ('message', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='run', to='chat.message')),
                ('resumes', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='resumed_by', to='chat.run', verbose_name='resumed run')),
            ],
            options={
                'verbose_name': 'run',
                'verbose_name_plural': 'runs',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='RunEvent',
            fields=[
                ('pk', models.CompositePrimaryKey('run_id', 'seq', blank=True, editable=False, primary_key=True, serialize=False)),
                ('seq', models.PositiveIntegerField()),
                ('data', models.TextField(help_text='The events as JSON: see chat.events.pack.')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='chat.run')),
            ],
            options={
                'verbose_name': 'event',
                'verbose_name_plural': 'events',
                'ordering': ['run_id', 'seq'],
            },
        ),
        migrations.CreateModel(
            name='Share',
            fields=[
                ('token', models.CharField(editable=False, max_length=40, primary_key=True, serialize=False)),
                ('title', models.CharField(blank=True, max_length=200)),
                ('messages', models.JSONField(help_text="What the page shows: role, parts, assistant's name and time of each message.")),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('conversation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shares', to='chat.conversation')),
            ],
            options={
                'verbose_name': 'share',
                'verbose_name_plural': 'shares',
                'ordering': ['-created_at'],
            },
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['conversation', 'created_at'], name='message_by_conversation'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.CheckConstraint(condition=models.Q(('role__in', ['user', 'assistant'])), name='message_role'),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(fields=['owner', '-updated_at', '-id'], name='conversation_by_activity'),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(fields=['-updated_at', '-id'], name='all_conversations_by_activity'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('status__in', ['queued', 'in_progress'])), fields=['status'], name='run_open'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['finished_at'], name='run_finished_at'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['-created_at'], name='run_created_at'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.UniqueConstraint(fields=('conversation', 'idempotency_key'), name='one_run_per_idempotency_key'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['queued', 'in_progress']), models.Q(('finished_at__isnull', False), ('last_seq__isnull', False)), _connector='OR'), name='an_ended_run_has_an_end'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'in_progress'), _negated=True), ('process_id__isnull', False), _connector='OR'), name='a_run_in_progress_has_a_process'),
        ),
    ]
