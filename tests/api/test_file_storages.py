"""Tests of files, with a storage that has no paths, and with a folder."""

import pytest
from asgiref.sync import sync_to_async

from chat.engine.retention import prune
from chat.models import Attachment, StoredFile
from chat.models.files import storage
from tests.api.test_files import (  # noqa: F401  # they run here as well
    reader,
    stored_keys,
    test_deleted_account_leaves_no_files,
    test_deleted_conversation_takes_its_files_with_it,
    test_deletion_whose_process_died_is_finished_later,
    test_export_has_the_file_and_import_keeps_its_text,
    test_file_that_was_never_sent_is_deleted_after_a_day,
    test_upload_is_stored_and_downloaded_by_its_owner,
    test_upload_that_cannot_be_stored_leaves_nothing,
    test_upload_whose_process_died_is_deleted_after_an_hour,
    upload,
)
from tests.assertions import assert_error

REMOTE = "tests.storages.RemoteStorage"


@pytest.fixture(autouse=True, params=[REMOTE, "django.core.files.storage.FileSystemStorage"])
def files(request, settings, tmp_path):
    row = {"BACKEND": request.param, "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"files": row}


in_a_bucket = pytest.mark.parametrize("files", [REMOTE], indirect=True)


@in_a_bucket
async def test_download_while_the_storage_is_away_is_refused_and_works_later(client_of, alice):
    client = client_of(alice)
    path = (await upload(client)).json()["url"]
    storage().is_away = True
    assert assert_error(await client.get(path), 503) == "storage_unavailable"
    storage().is_away = False
    assert (await client.get(path)).status_code == 200


@in_a_bucket
async def test_upload_while_the_storage_is_away_is_refused_and_forgotten(client_of, alice):
    storage().is_away = True
    assert assert_error(await upload(client_of(alice)), 503) == "storage_unavailable"
    assert not await Attachment.objects.aexists()
    storage().is_away = False
    await sync_to_async(prune)()
    assert not await StoredFile.objects.aexists()
    assert stored_keys() == set()
