"""Assistants, and the tool servers that they may use: the rows that staff edit."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import Refused


class AssistantQuerySet(models.QuerySet):
    def offered(self):
        return self.filter(is_enabled=True).order_by("-is_default", F("position").asc(nulls_last=True), "name")

    def pick(self, slug=None):
        """Returns the enabled assistant with that slug, or the default one; raises Refused if there is none."""
        if slug is None:
            assistant = self.offered().first()
            if assistant is None:
                raise Refused(gettext("No assistant has been set up yet."), "no_assistant", 409)
            return assistant
        try:
            return self.get(slug=slug, is_enabled=True)
        except Assistant.DoesNotExist:
            sentence = gettext("There is no assistant called “%(slug)s”.") % {"slug": slug[:100]}
            raise Refused(sentence, "unknown_assistant") from None


class Assistant(models.Model):
    """What a user picks to chat with: a model, its instructions, tools and limits. Staff edit it in the admin."""

    slug = models.SlugField(_("slug"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    description = models.CharField(_("description"), max_length=300, blank=True)
    model = models.CharField(
        _("model"), max_length=200, help_text=_("provider:model, such as openai:gpt-5-mini or demo:")
    )
    system_prompt = models.TextField(_("system prompt"), blank=True)
    tools = models.JSONField(
        _("tools"), default=list, blank=True, help_text=_('A list of tool names, such as ["clock"].')
    )
    ask_first = models.JSONField(
        _("tools that need approval"),
        default=list,
        blank=True,
        help_text=_("Tools that run only after the user has approved, in addition to those that always ask."),
    )
    ask_every_time = models.JSONField(
        _("tools that need approval for each call"),
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text=_("Tools that users cannot allow for the rest of a conversation."),
    )
    params = models.JSONField(
        _("parameters"),
        default=dict,
        blank=True,
        help_text=_(
            'Sent to the model with each request, such as {"temperature": 0.2}. For openai: models, '
            "base_url and api_key_env (the name of the environment variable that holds the key) select another server."
        ),
    )
    memory_turns = models.PositiveSmallIntegerField(
        _("turns to remember"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_(
            "Number of turns sent to the model, including the current one. "
            "Leave empty for all turns, or five if the assistant has tools."
        ),
    )
    context_window = models.PositiveIntegerField(
        _("context window"),
        null=True,
        blank=True,
        validators=[MinValueValidator(256)],
        help_text=_(
            "How many tokens the model can read and write. Of a longer conversation, the oldest messages are left out. "
            "Leave empty to go by what the model's server reports."
        ),
    )
    max_model_calls = models.PositiveSmallIntegerField(
        _("maximum model calls"), default=3, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    first_token_seconds = models.PositiveIntegerField(
        _("maximum wait for the first token (seconds)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_(
            "How long the model may be silent before it begins, and after each step. A model that reads long messages "
            "on a slow computer needs minutes. Leave empty for the site's limit (FIRST_TOKEN_SECONDS)."
        ),
    )
    silence_seconds = models.PositiveIntegerField(
        _("maximum silence (seconds)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_(
            "How long the model may be silent while it is writing. Leave empty for the site's limit (SILENCE_SECONDS)."
        ),
    )
    run_seconds = models.PositiveIntegerField(
        _("maximum time for an answer (seconds)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How long an answer may take in all. Leave empty for the site's limit (RUN_SECONDS)."),
    )
    sees_images = models.BooleanField(
        _("supports images"), default=False, help_text=_("Whether the model accepts images.")
    )
    starters = models.JSONField(
        _("starters"),
        default=list,
        blank=True,
        help_text=_('Suggestions for a first message, such as ["Plan a trip to Kyoto"].'),
    )
    position = models.PositiveSmallIntegerField(
        _("position"),
        null=True,
        blank=True,
        help_text=_(
            "Place in the list of assistants: lower numbers come first, after the default assistant. Those without a "
            "number follow by name."
        ),
    )
    is_default = models.BooleanField(_("default"), default=False)
    is_enabled = models.BooleanField(_("enabled"), default=True)

    TURNS_WITH_TOOLS = 5  # default of memory_turns for an assistant with tools

    objects = AssistantQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("assistant"), _("assistants")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="one_default_assistant",
            )
        ]

    def __str__(self):
        return self.name

    def save(self, **kwargs):
        """Saves the assistant; as the default, it replaces the default of before."""
        with transaction.atomic():
            if self.is_default:
                Assistant.objects.filter(is_default=True).exclude(pk=self.pk).update(is_default=False)
            super().save(**kwargs)

    def validate_constraints(self, exclude=None):
        """Allows a second default: `save` takes it from the first."""
        super().validate_constraints({"is_default", *(exclude or ())})

    def clean(self):
        for field, sentence in {
            "tools": _("Tools must be a JSON list of names."),
            "ask_first": _("Tools must be a JSON list of names."),
            "ask_every_time": _("Tools must be a JSON list of names."),
            "starters": _("Starters must be a JSON list of strings."),
        }.items():
            texts = getattr(self, field)
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise ValidationError({field: sentence})
        if not isinstance(self.params, dict):
            raise ValidationError({"params": _("Parameters must be a JSON object.")})


class SeededAssistant(models.Model):
    """The slug of an assistant that was created because its model was found, so that deleting the assistant lasts."""

    slug = models.SlugField(primary_key=True)


class ToolServer(models.Model):
    """An MCP server whose tools assistants use as `mcp:SLUG` or `mcp:SLUG/TOOL`.

    Its command runs on this host: only superusers set it.
    """

    class Transport(models.TextChoices):
        STDIO = "stdio", "stdio"
        HTTP = "http", "streamable HTTP"

    STDIO = Transport.STDIO
    HTTP = Transport.HTTP

    slug = models.SlugField(_("slug"), max_length=30, unique=True)
    transport = models.CharField(_("transport"), max_length=10, choices=Transport, default=HTTP)
    command = models.JSONField(
        _("command"),
        default=list,
        blank=True,
        help_text=_('For stdio: the program and its arguments, such as ["uvx", "mcp-server-time"].'),
    )
    env = models.JSONField(
        _("environment variables"),
        default=dict,
        blank=True,
        help_text=_("For stdio: environment variables of the program. It does not inherit those of the site."),
    )
    url = models.CharField(  # Django's URLField rejects short host names such as http://tools:8000/mcp
        _("URL"),
        max_length=200,
        blank=True,
        help_text=_("For HTTP: the server's URL, such as http://127.0.0.1:8931/mcp."),
    )
    headers = models.JSONField(
        _("headers"), default=dict, blank=True, help_text=_("For HTTP: headers to send, such as Authorization.")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    listed_tools = models.JSONField(  # {"name", "description", "asks_first"} of each tool when they were last listed
        default=list, db_default=models.Value([], models.JSONField()), blank=True, editable=False
    )

    class Meta:
        verbose_name, verbose_name_plural = _("tool server"), _("tool servers")
        ordering = ["slug"]

    def __str__(self):
        return self.slug
