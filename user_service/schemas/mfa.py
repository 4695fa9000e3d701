"""The second factor as it travels over HTTP."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from common_lib.problems import ApiModel, RequestModel
from common_lib.text import Shaped, Verbatim
from user_service.schemas.fields import GivenPassword


def _without_gaps(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


# As apps show it: in one, or in two groups of three.
TotpCode = Annotated[
    str,
    Shaped(r"^[0-9]{3} ?[0-9]{3}$", "A code has six digits, as your authenticator shows them"),
    AfterValidator(_without_gaps),
]
RecoveryCodeText = Annotated[
    str,
    Shaped(
        r"^[A-Za-z2-7 -]{1,40}$",
        "A recovery code is made of letters a to z and digits 2 to 7, in groups",
    ),
    AfterValidator(_without_gaps),
    AfterValidator(str.upper),
]
LongToken = Annotated[
    str, Field(min_length=1, max_length=4096), Verbatim("a token opens something or does not")
]
PendingToken = LongToken
GuestToken = LongToken


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
