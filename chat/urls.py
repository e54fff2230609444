from django.urls import path

from . import views
from .api import api

urlpatterns = [
    path("", views.page, name="new_chat"),
    path("c/<uuid:conversation_id>/", views.page, name="conversation"),
    path("health", views.health, name="health"),
    path("health/ready", views.ready, name="ready"),
    path("api/", api.urls),
    path("api/<path:rest>", views.no_such_call),
]
