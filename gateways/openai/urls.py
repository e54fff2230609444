from django.urls import path

from . import views

urlpatterns = [
    path("models", views.list_models, name="openai_models"),
    path("models/<slug:slug>", views.get_model, name="openai_model"),
    path("chat/completions", views.create_chat_completion, name="openai_chat_completions"),
]
