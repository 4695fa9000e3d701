"""What a client takes along to an address of this machine, where nobody speaks TLS."""

import ssl
from typing import Final

# It trusts nobody; to read whom the machine trusts takes every client 20 ms.
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
