"""Servers that `manage.py prepare` asks for their models."""

import pytest

from tests.upstream import Answer, refusal, whole


@pytest.fixture
def setenv(transactional_db):
    """Sets a variable for the test, but not while its database is emptied, which creates assistants again."""
    with pytest.MonkeyPatch.context() as environment:
        yield environment.setenv


@pytest.fixture
def serve(upstream):
    """`serve({"/v1/models": document})`: these documents, or Answers, by path; all else is a 404."""

    def serve(documents):
        def answer(request):
            document = documents.get(request.path)
            if callable(document):
                document = document(request)
            if document is None:
                return refusal(404, b"not here")
            return document if isinstance(document, Answer) else whole(document)

        upstream.answer = answer

    return serve
