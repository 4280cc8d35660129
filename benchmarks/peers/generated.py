"""A client that openapi-python-client generates at run time from a description of these endpoints."""

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PACKAGE = "voiso_generated"


def _text(**more: Any) -> dict[str, Any]:
    return {"type": "string", "nullable": True, **more}


def _list(of: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


TEXTS = (
    *("name", "email", "sip_account", "extension", "caller_id", "employee_id"),
    *("timezone", "speech_language", "status"),
)
TIMES = ("created_at", "updated_at", "deleted_at")
USER = _object(
    ["id"],
    id={"type": "integer"},
    **{name: _text() for name in TEXTS},
    **{name: _text(format="date-time") for name in TIMES},
    security_access_group={"$ref": "#/components/schemas/Ref"},
    **{name: _list("Ref") for name in ("teams", "supervised_teams", "queues", "supervised_queues")},
    webrtc_ringtone={"$ref": "#/components/schemas/Ringtone"},
    channels={"type": "array", "items": {"type": "string"}},
    channel_group_capacity={"type": "object", "additionalProperties": {"type": "integer"}},
    channel_profiles=_list("Profile"),
    skills=_list("Skill"),
)
SCHEMAS = {
    "Ref": _object(["id"], id={"type": "integer"}, name=_text()),
    "Ringtone": _object([], type=_text(), name=_text()),
    "Profile": _object(["id"], id={"type": "integer"}, channel=_text(), identifier=_text(), name=_text()),
    "Skill": _object([], skill={"$ref": "#/components/schemas/Ref"}, value={"type": "integer"}),
    "User": USER,
    "Users": _object(["users"], users=_list("User"), metadata={"type": "object"}),
}
_PAGE = {"application/json": {"schema": {"$ref": "#/components/schemas/Users"}}}
DESCRIPTION = {
    "openapi": "3.0.3",
    "info": {"title": "voiso generated", "version": "4"},
    "paths": {
        "/users": {
            "get": {
                "operationId": "list_users",
                "parameters": [
                    {"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("limit", "offset")
                ],
                "responses": {"200": {"description": "a page", "content": _PAGE}},
            }
        }
    },
    "components": {"schemas": SCHEMAS},
}


def _generate(folder: str) -> tuple[Any, Any]:
    """Generate the package and return its client and its call."""
    description, target = Path(folder, "openapi.json"), Path(folder, PACKAGE)
    description.write_text(json.dumps(DESCRIPTION))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta=none"]
    options = [f"--path={description}", f"--output-path={target}"]
    subprocess.run([*command, *options], check=True, capture_output=True)  # noqa: S603
    sys.path.insert(0, folder)
    try:
        client = importlib.import_module(f"{PACKAGE}.client").AuthenticatedClient
        return client, importlib.import_module(f"{PACKAGE}.api.default.list_users")
    finally:
        sys.path.remove(folder)


@asynccontextmanager
async def generated_users(api: str, key: str) -> AsyncIterator[Callable[[int, int], Awaitable[Any]]]:
    """Generate the client and return its function that reads a page of users."""
    with tempfile.TemporaryDirectory() as folder:
        client_type, list_users = _generate(folder)
        async with client_type(base_url=api, token=key) as client:

            async def page(limit: int, offset: int) -> Any:
                return (await list_users.asyncio(client=client, limit=limit, offset=offset)).users

            yield page
