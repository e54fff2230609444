from django.urls import path

from . import views
from .api import api

urlpatterns = [
    path("", views.page, name="new_chat"),
    path("c/<uuid:conversation_id>/", views.page, name="conversation"),
    path("c/<uuid:conversation_id>/print/", views.printed, name="print"),
    path("s/<str:token>/", views.shared, name="shared"),
    path("s/<str:token>/images/<uuid:attachment_id>", views.shared_image, name="shared_image"),
    path("drawing", views.drawing, name="drawing"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("worker.js", views.worker, name="worker"),
    path("offline", views.offline, name="offline"),
    path("health", views.health, name="health"),
    path("health/ready", views.ready, name="ready"),
    path("api/", api.urls),
    path("api/<path:rest>", views.no_such_call),
]
