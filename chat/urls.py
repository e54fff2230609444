from django.urls import path

from . import health, views

urlpatterns = [
    path("", views.page, name="new_chat"),
    path("c/<uuid:conversation_id>/", views.page, name="conversation"),
    path("c/<uuid:conversation_id>/print/", views.print_conversation, name="print"),
    path("s/<slug:token>/", views.shared, name="shared"),
    path("s/<slug:token>/images/<uuid:attachment_id>", views.shared_image, name="shared_image"),
    path("accent-<slug:version>.css", views.accent, name="accent"),
    path("icon-<slug:version>", views.icon, name="icon"),
    path("drawing", views.drawing, name="drawing"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("worker.js", views.worker, name="worker"),
    path("offline", views.offline, name="offline"),
    path("health", health.health, name="health"),
    path("health/ready", health.ready, name="ready"),
]
