"""Mails about accounts."""

from typing import Final

from common_lib.events.users import (
    EmailChanged,
    EmailVerificationRequested,
    PasswordChanged,
    PasswordResetRequested,
    SecondFactorDisabled,
    SecondFactorEnabled,
    UserRegistered,
)
from notification_service.services.mails.layout import (
    House,
    Kinds,
    Notice,
    about_account,
    make_mail,
    token_link,
)
from notification_service.services.mails.words import moment_in_words, one_line


def _user_registered(event: UserRegistered, house: House) -> Notice:
    # Nobody has shown yet that this is their address, so the name is not said here.
    values = {
        "email": one_line(event.email, 254),
        "preheader": "Your account is ready.",
        "reason": "You get this mail because an account was opened with your address.",
    }
    mail = make_mail("user_registered", "Welcome! 🎉", event.email, house, values)
    return Notice(mail, user_id=event.user_id)


def _verify_email(event: EmailVerificationRequested, house: House) -> Notice:
    values = {
        "name": "",
        "link": token_link(house, "verify-email", event.token),
        "email": one_line(event.email, 254),
        "valid_until": moment_in_words(event.expires_at),
        "preheader": "One click, and we know that our mails reach you.",
        "reason": "You get this mail because an account at our shop was given your address.",
    }
    return about_account("verify_email", "Please confirm your e-mail address", event, house, values)


def _password_reset(event: PasswordResetRequested, house: House) -> Notice:
    values = {
        "link": token_link(house, "reset-password", event.token),
        "valid_until": moment_in_words(event.expires_at),
        "preheader": "A link to choose a new password.",
        "reason": "You get this mail because somebody asked to reset your password.",
    }
    return about_account("password_reset", "Reset your password", event, house, values)


def _password_changed(event: PasswordChanged, house: House) -> Notice:
    values = {
        "forgot_url": f"{house.storefront_url}/forgot-password",
        "preheader": "If it was you, there is nothing to do.",
        "reason": "You get this mail because the password of your account was changed.",
    }
    return about_account("password_changed", "Your password was changed", event, house, values)


def _email_changed(event: EmailChanged, house: House) -> Notice:
    values = {
        "old_email": one_line(event.email, 254),
        "ops_address": house.ops_address,
        "preheader": "Your account has another e-mail address now.",
        "reason": "You get this mail, the last one, because your account had this address.",
    }
    return about_account("email_changed", "Your e-mail address was changed", event, house, values)


def _mfa_enabled(event: SecondFactorEnabled, house: House) -> Notice:
    values = {
        "forgot_url": f"{house.storefront_url}/forgot-password",
        "ops_address": house.ops_address,
        "preheader": "Logging in takes a code of your authenticator now.",
        "reason": "You get this mail because two-step login of your account was switched on.",
    }
    return about_account("mfa_enabled", "Two-step login is on", event, house, values)


def _mfa_disabled(event: SecondFactorDisabled, house: House) -> Notice:
    values = {
        "forgot_url": f"{house.storefront_url}/forgot-password",
        "preheader": "Your password alone opens your account now.",
        "reason": "You get this mail because two-step login of your account was switched off.",
    }
    return about_account("mfa_disabled", "Two-step login is off", event, house, values)


KINDS: Final[Kinds] = {
    UserRegistered: _user_registered,
    EmailVerificationRequested: _verify_email,
    PasswordResetRequested: _password_reset,
    PasswordChanged: _password_changed,
    EmailChanged: _email_changed,
    SecondFactorEnabled: _mfa_enabled,
    SecondFactorDisabled: _mfa_disabled,
}
