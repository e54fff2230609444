"""Finds rows through their owner: another user's id is 404, as if it did not exist."""

from django.shortcuts import aget_object_or_404

from ..models import Conversation, Message, Run


async def own_conversation(request, conversation_id):
    rows = Conversation.objects.visible_to(request.auth).select_related("assistant").with_activity()
    return await aget_object_or_404(rows, pk=conversation_id)


async def own_message(request, message_id):
    return await aget_object_or_404(Message.objects.visible_to(request.auth), pk=message_id)


async def own_run(request, run_id):
    return await aget_object_or_404(Run.objects.visible_to(request.auth).select_related("assistant"), pk=run_id)
