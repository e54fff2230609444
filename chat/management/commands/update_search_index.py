from django.core.management import BaseCommand
from django.db.models import Exists, OuterRef

from ...models import Conversation, Message, SearchText
from ...models.batches import in_batches


class Command(BaseCommand):
    help = (
        "Make the messages and titles findable that an earlier release has written to this database, "
        "and forget those that it has deleted. "
        "Everything else stays as it is. The site may run meanwhile."
    )

    def handle(self, **options):
        messages = Message.objects.only("conversation", "role", "text", "parts")
        in_batches(messages.filter(search_text=None).exclude(role=Message.ASSISTANT, text=""), SearchText.write)
        SearchText.objects.filter(~Exists(Message.objects.filter(pk=OuterRef("message_id")))).delete()
        Conversation.objects.fold_titles()
