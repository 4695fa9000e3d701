"""The second factor as it travels over HTTP."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from common_lib.problems import ApiModel, RequestModel
from user_service.schemas.fields import GivenPassword


def _without_gaps(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


# As apps show it: in one, or in two groups of three.
TotpCode = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{3} ?[0-9]{3}$"),
    AfterValidator(_without_gaps),
]
RecoveryCodeText = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z2-7 -]{1,40}$"),
    AfterValidator(_without_gaps),
    AfterValidator(str.upper),
]
PendingToken = Annotated[str, Field(min_length=1, max_length=4096)]
GuestToken = Annotated[str, Field(min_length=1, max_length=4096)]


class EnrolRequest(RequestModel):
    password: GivenPassword


class EnrolResponse(ApiModel):
    """What an authenticator app is given; it counts once its first code was confirmed."""

    secret: str
    otpauth_uri: str


class ConfirmRequest(RequestModel):
    code: TotpCode


class RecoveryCodesResponse(ApiModel):
    """Shown this once; only their hashes are kept."""

    recovery_codes: list[str]


class ProofRequest(RequestModel):
    """Either a code of the authenticator or one of the recovery codes."""

    code: TotpCode | None = None
    recovery_code: RecoveryCodeText | None = None

    @model_validator(mode="after")
    def _has_exactly_one(self) -> Self:
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("send either code or recoveryCode")
        return self


class DisableRequest(ProofRequest):
    password: GivenPassword


class ChallengeRequest(ProofRequest):
    mfa_token: PendingToken
    guest_token: GuestToken | None = None
