import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from tests.rows import create_user


@pytest.fixture
def staff_with(transactional_db):
    """`staff_with("view_run")`: a member of staff who may do that and no more."""

    @sync_to_async
    def make(*codenames):
        member = create_user("dora", is_staff=True)
        member.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return get_user_model().objects.get(pk=member.pk)

    return make
