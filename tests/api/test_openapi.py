"""The description of the calls: /api/openapi.json, and /api/docs for people."""

import re

from django.contrib.staticfiles import finders

CALLS = {
    "/api/assistants": {"get"},
    "/api/conversations": {"get", "post"},
    "/api/conversations/{conversation_id}": {"get", "patch", "delete"},
    "/api/conversations/{conversation_id}/messages": {"get", "post"},
    "/api/conversations/{conversation_id}/keep": {"post"},
    "/api/conversations/{conversation_id}/restore": {"post"},
    "/api/messages/{message_id}": {"delete"},
    "/api/messages/{message_id}/continue": {"post"},
    "/api/messages/{message_id}/edit": {"post"},
    "/api/messages/{message_id}/feedback": {"put"},
    "/api/messages/{message_id}/regenerate": {"post"},
    "/api/attachments": {"get", "post"},
    "/api/attachments/{attachment_id}": {"get"},
    "/api/attachments/{attachment_id}/text": {"get"},
    "/api/me": {"get", "patch"},
    "/api/conversations/{conversation_id}/export": {"get"},
    "/api/conversations/{conversation_id}/shares": {"get", "post"},
    "/api/shares/{token}": {"delete"},
    "/api/shares/{token}/copies": {"post"},
    "/api/export": {"get"},
    "/api/import": {"get", "post"},
    "/api/runs/{run_id}": {"get"},
    "/api/runs/{run_id}/cancel": {"post"},
    "/api/runs/{run_id}/events": {"get"},
    "/api/runs/{run_id}/resume": {"post"},
    "/api/chat": {"post"},
}
STATUS = {
    "post /api/conversations": "201",
    "post /api/attachments": "201",
    "post /api/import": "201",
    "post /api/conversations/{conversation_id}/shares": "201",
    "post /api/shares/{token}/copies": "201",
    "delete /api/shares/{token}": "204",
    "post /api/chat": "200",
    "delete /api/messages/{message_id}": "204",
    "put /api/messages/{message_id}/feedback": "204",
    "post /api/conversations/{conversation_id}/keep": "204",
    "post /api/conversations/{conversation_id}/restore": "200",
    "delete /api/conversations/{conversation_id}": "204",
}


async def description(client):
    answer = await client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/json")
    return answer.json()


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from references(item)


async def test_schema_lists_every_call(client_of):
    schema = await description(client_of())
    assert {path: set(calls) for path, calls in schema["paths"].items()} == CALLS
    assert schema["openapi"].startswith("3.1.")
    assert {"title", "version"} <= schema["info"].keys()


async def test_schema_is_consistent(client_of):
    schema = await description(client_of())
    for reference in references(schema):
        step = schema
        for name in reference.removeprefix("#/").split("/"):
            step = step[name]
    calls = [(path, method, call) for path, methods in schema["paths"].items() for method, call in methods.items()]
    assert len({call["operationId"] for _, _, call in calls}) == len(calls)
    for path, method, call in calls:
        expected = STATUS.get(f"{method} {path}", "202" if method == "post" else "200")
        assert expected in call["responses"], path
        assert all(answer["description"] for answer in call["responses"].values())
        in_path = [parameter for parameter in call["parameters"] if parameter["in"] == "path"]
        assert set(re.findall("{(.*?)}", path)) == {parameter["name"] for parameter in in_path}
        assert all(parameter["required"] for parameter in in_path)
        assert call["security"] == [{"ApiKey": []}, {"SessionCookie": []}]
    assert schema["components"]["securitySchemes"]["ApiKey"] == {"type": "http", "scheme": "bearer"}
    assert schema["components"]["securitySchemes"]["SessionCookie"] == {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
    }


async def test_schema_describes_requests_and_responses(client_of):
    schema = await description(client_of())
    schemas, calls = schema["components"]["schemas"], schema["paths"]

    def named(content):
        return schemas[content["application/json"]["schema"]["$ref"].rpartition("/")[2]]

    send = calls["/api/conversations/{conversation_id}/messages"]["post"]
    body = named(send["requestBody"]["content"])
    assert body["properties"].keys() == {
        "text",
        "assistant",
        "parent_id",
        "time_zone",
        "attachments",
        "documents",
    }
    assert body["required"] == ["text"]
    assert body["properties"]["text"]["maxLength"] == 100_000
    created = named(send["responses"]["202"]["content"])
    assert created["properties"].keys() == {"message_id", "reply_id", "run_id", "events_url"}
    assert "idempotency-key" in {parameter["name"].lower().replace("_", "-") for parameter in send["parameters"]}
    chat = named(calls["/api/chat"]["post"]["responses"]["200"]["content"])
    assert chat["properties"].keys() == {"input", "chat_history", "output", "conversation_id", "run_id", "usage"}


async def test_docs_load_from_this_site_only(client_of):
    answer = await client_of().get("/api/docs")
    assert answer.status_code == 200
    html = answer.content.decode()
    linked = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert any("swagger-ui-bundle.js" in link for link in linked)
    for link in linked:
        assert link.startswith("/static/"), link
        assert finders.find(link.removeprefix("/static/")), link
    assert "//" not in re.sub(r"<[^>]*>", "", html)
    assert '"url": "/api/openapi.json"' in html
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)


async def test_docs_need_no_login_and_show_no_secret(client_of, finished_run):
    await finished_run("a secret")
    for path in ("/api/docs", "/api/openapi.json"):
        answer = await client_of().get(path)
        assert b"secret" not in answer.content


async def test_openapi_schema_is_created_once(client_of, monkeypatch):
    first = await description(client_of())
    monkeypatch.setattr("ninja.main.get_schema", None)
    assert await description(client_of()) == first
