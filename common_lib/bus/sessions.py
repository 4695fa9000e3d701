"""Sessions of the AWS library that keep little of its data in memory.

The library costs 15 MB and a quarter of a second of CPU: whoever opens a client loads this module
then, by `importlib`, and a process that needs no AWS never does.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aioboto3
import orjson
from aiobotocore.session import get_session
from botocore.loaders import JSONFileLoader, create_loader

# The endpoint prefixes of what we call, and of what the credential chain may call for us.
_OURS: Final = frozenset(
    {"email", "oidc", "portal.sso", "s3", "secretsmanager", "sns", "sqs", "ssm", "sts"}
)
_ENDPOINTS: Final = "endpoints.json"
_UNPACK: Final[dict[str, Callable[[bytes], bytes]]] = {".json": bytes, ".json.gz": gzip.decompress}


def new_session() -> Any:
    """Return an aioboto3 session whose clients do what any other's do, with 7 MB less."""
    session = get_session()
    loader = create_loader(session.get_config_variable("data_path"))
    loader.file_loader = DataFiles()
    session.register_component("data_loader", loader)
    return aioboto3.Session(botocore_session=session)


class DataFiles(JSONFileLoader):
    """Reads botocore's descriptions of AWS, which each client keeps for as long as it lives.

    Into dicts, which remember their order too, and not OrderedDicts: they take half the memory.
    And of the addresses of some 300 services in every region only those of ours; whatever else
    is asked for gets the partition's regular ones.
    """

    def load_file(self, file_path: str) -> Any:
        """Return what the file holds, which is named without its ending; None if there is none."""
        for ending, unpack in _UNPACK.items():
            path = Path(file_path + ending)
            if path.is_file():
                data = orjson.loads(unpack(path.read_bytes()))
                return _trimmed(data) if path.name == _ENDPOINTS else data
        return None


def _trimmed(endpoints: dict[str, Any]) -> dict[str, Any]:
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in _OURS if name in services}
    return endpoints
