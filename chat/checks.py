"""Checks of the settings: of the storage at each start, and what `manage.py check --deploy` says of security."""

import contextlib
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks.security import base, csrf
from django.core.files.storage import storages
from django.test.utils import override_settings
from django.utils.module_loading import import_string

# Those of Django's checks that say nothing unless MIDDLEWARE names Django's own middleware.
CHECKS = [
    base.check_security_middleware,
    base.check_xframe_options_middleware,
    base.check_sts,
    base.check_sts_include_subdomains,
    base.check_sts_preload,
    base.check_content_type_nosniff,
    base.check_ssl_redirect,
    base.check_xframe_deny,
    base.check_referrer_policy,
    base.check_cross_origin_opener_policy,
    csrf.check_csrf_middleware,
    csrf.check_csrf_cookie_secure,
]


@register(Tags.files)
def check_files_storage(app_configs, **kwargs) -> list[CheckMessage]:
    """Returns an error if the storage of users' files cannot be made: its package is missing, or an option is wrong."""
    try:
        storages["files"]
    except Exception as error:  # each storage has its own kinds
        hint = "Packages for S3 are in requirements-s3.txt. Compare FILES_STORAGE_OPTIONS with the storage's options."
        return [Error(f"FILES_STORAGE cannot be used: {error}", hint=hint, id="chat.E001")]
    return []


@register(Tags.security, deploy=True)
def check_security(app_configs, **kwargs) -> list[CheckMessage]:
    """Returns what Django's checks would say if ours were Django's own middleware, from which they are derived."""
    with _named_as_in_django():
        return [message for check in CHECKS for message in check(app_configs)]


@contextlib.contextmanager
def _named_as_in_django() -> Iterator[None]:
    names = [_name_in_django(path) for path in settings.MIDDLEWARE]
    with override_settings(MIDDLEWARE=names):
        yield


def _name_in_django(path: str) -> str:
    """Returns the path of Django's middleware that this one is derived from, or the same path if it is none."""
    middleware = import_string(path)
    bases = middleware.__mro__ if isinstance(middleware, type) else ()
    djangos = (cls for cls in bases if cls.__module__.startswith("django.") and cls.__name__.endswith("Middleware"))
    cls = next(djangos, None)
    return f"{cls.__module__}.{cls.__qualname__}" if cls else path
