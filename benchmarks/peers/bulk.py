"""The streaming bulk helper of elasticsearch-py against a stub: the cost of batching for each record elsewhere."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from elastic_transport import ApiResponseMeta, BaseAsyncNode, HttpHeaders, NodeConfig
from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_streaming_bulk

BATCH = 1000
HEADERS = HttpHeaders({"content-type": "application/json", "x-elastic-product": "Elasticsearch"})
ITEM = {"index": {"_index": "leads", "_id": "1", "result": "created", "status": 201}}
ANSWER = msgspec.json.encode({"took": 1, "errors": False, "items": [ITEM] * BATCH})


class Answered(NamedTuple):
    """The answer of a node."""

    meta: ApiResponseMeta
    body: bytes


class Stub(BaseAsyncNode):
    """A node that answers at once, as if everything were indexed."""

    _CLIENT_META_HTTP_CLIENT = ("st", "1")

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)

    async def perform_request(self, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        """Answer that a full batch was created."""
        meta = ApiResponseMeta(status=200, http_version="1.1", headers=HEADERS, duration=0.0, node=self.config)
        return Answered(meta, ANSWER)

    async def close(self) -> None:  # type: ignore[override]
        """Do nothing: no connection is open."""


async def bulk(leads: Iterable[dict[str, Any]]) -> int:
    """Send leads in full batches, check the outcome of each, and return the number of created ones."""
    async with AsyncElasticsearch("http://localhost:9200", node_class=Stub) as client:
        actions = ({"_index": "leads", "_id": lead["phone_number"], "_source": lead} for lead in leads)
        created = 0
        async for done, _ in async_streaming_bulk(client, actions, chunk_size=BATCH):
            created += done
        return created
