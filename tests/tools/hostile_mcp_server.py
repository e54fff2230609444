"""A stdio MCP server that does what the official package would not let it do.

Its tool `match` has an output schema whose pattern takes for ever on what the tool returns; the schemas of `laughs` and
`deep` are small, but large once they are followed. With `--values`, it lists tools without an end.
"""

import json
import sys

deep: dict = {}
for _ in range(40):
    deep = {"properties": {"a": deep}}
LAUGHS = {f"a{number}": {"anyOf": [{"$ref": f"#/$defs/a{number + 1}"}] * 2} for number in range(40)}
TOOLS = [
    {
        "name": "match",
        "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}},
    },
    {"name": "laughs", "inputSchema": {"type": "object", "$defs": LAUGHS, "properties": {"a": {"$ref": "#/$defs/a0"}}}},
    {"name": "deep", "inputSchema": {"type": "object", **deep}},
]
RESULTS = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "hostile", "version": "1"},
    },
    "tools/list": {"tools": TOOLS},
    "tools/call": {"content": [], "structuredContent": {"text": "a" * 60 + "!"}},
}

for line in sys.stdin:
    request = json.loads(line)
    if "--values" in sys.argv and request["method"] == "tools/list":
        print('{"jsonrpc": "2.0", "id": 1, "result": {"tools": [' + "{}," * 100_000 + "{}]}}", flush=True)
    elif "id" in request:
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": RESULTS[request["method"]]}), flush=True)
