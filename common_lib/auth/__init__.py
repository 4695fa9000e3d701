"""Who is calling: access tokens of people, 60-second tokens of services, and revocation.

Access tokens are JWTs signed with ES256 and typed `at+jwt` (RFC 9068); every service checks them
itself against the user service's JWKS. Service tokens are typed `service+jwt` and name the called
service as their audience, so that one taken from a log opens nothing else and not for long.
"""

from common_lib.auth.guards import (
    SAFE_METHODS,
    Authenticator,
    CurrentUser,
    MaybeUser,
    authentication,
    current_user,
    ensure_self,
    maybe_user,
    require_role,
    require_service,
)
from common_lib.auth.keys import (
    ALGORITHM,
    JWKS_REFETCH_S,
    JwksCache,
    KeySource,
    Signing,
    SigningKey,
    StaticKeys,
    remote_keys,
)
from common_lib.auth.principals import (
    InvalidToken,
    Principal,
    RevocationUnknown,
    Role,
    RoleNotAllowed,
    ServiceName,
    TokenExpired,
    TokenRevoked,
    Unauthenticated,
    WrongTokenType,
)
from common_lib.auth.rings import KeyRing
from common_lib.auth.sessions import (
    Sessions,
    apply_revocation,
    revocation_keys,
    trusted_without_redis,
)
from common_lib.auth.tokens import (
    ACCESS_LIFETIME_S,
    ACCESS_TYPE,
    LEEWAY_S,
    MAX_TOKEN_LENGTH,
    REFRESH_TYPE,
    ServiceTokens,
    TokenSigner,
    TokenVerifier,
)

__all__ = [
    "ACCESS_LIFETIME_S",
    "ACCESS_TYPE",
    "ALGORITHM",
    "JWKS_REFETCH_S",
    "LEEWAY_S",
    "MAX_TOKEN_LENGTH",
    "REFRESH_TYPE",
    "SAFE_METHODS",
    "Authenticator",
    "CurrentUser",
    "InvalidToken",
    "JwksCache",
    "KeyRing",
    "KeySource",
    "MaybeUser",
    "Principal",
    "RevocationUnknown",
    "Role",
    "RoleNotAllowed",
    "ServiceName",
    "ServiceTokens",
    "Sessions",
    "Signing",
    "SigningKey",
    "StaticKeys",
    "TokenExpired",
    "TokenRevoked",
    "TokenSigner",
    "TokenVerifier",
    "Unauthenticated",
    "WrongTokenType",
    "apply_revocation",
    "authentication",
    "current_user",
    "ensure_self",
    "maybe_user",
    "remote_keys",
    "require_role",
    "require_service",
    "revocation_keys",
    "trusted_without_redis",
]
