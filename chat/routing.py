from django.urls import path

from .consumers import ConversationConsumer, NewsConsumer

websocket_urlpatterns = [
    path("ws/conversations/<uuid:conversation_id>", ConversationConsumer.as_asgi()),
    path("ws/news", NewsConsumer.as_asgi()),
]
