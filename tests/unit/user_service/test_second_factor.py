"""Rules of the second factor that need no database."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from common_lib.clock import now
from common_lib.ids import new_id
from common_lib.settings.production import key_file_faults
from shop.stack.key_files import create_if_absent
from user_service.models import TotpCredential
from user_service.services.field_cipher import FieldCipher, Unreadable
from user_service.services.sessions import Device

MINUTE = timedelta(minutes=1)


def credential() -> TotpCredential:
    made = TotpCredential(user_id=new_id())
    made.begin(b"sealed", now())
    return made


def test_what_was_encrypted_is_read_by_its_owner_alone() -> None:
    cipher, owner = FieldCipher(Fernet.generate_key()), new_id()

    sealed = cipher.encrypt(owner, "a secret")

    assert b"secret" not in sealed
    assert cipher.decrypt(owner, sealed) == "a secret"
    with pytest.raises(Unreadable):
        cipher.decrypt(new_id(), sealed)


def test_a_new_key_before_the_old_one_reads_what_the_old_one_wrote(tmp_path: Path) -> None:
    old, new, owner = Fernet.generate_key(), Fernet.generate_key(), new_id()
    path = tmp_path / "field.key"
    path.write_bytes(new + b"\n" + old + b"\n")
    rotated = FieldCipher.from_file(path)

    assert rotated.decrypt(owner, FieldCipher(old).encrypt(owner, "kept")) == "kept"
    with pytest.raises(Unreadable):
        FieldCipher(old).decrypt(owner, rotated.encrypt(owner, "kept"))


def test_a_key_made_for_development_is_read_and_known_as_such(tmp_path: Path) -> None:
    path, owner = tmp_path / "field.key", new_id()
    create_if_absent(path)

    cipher = FieldCipher.from_file(path)

    assert cipher.decrypt(owner, cipher.encrypt(owner, "kept")) == "kept"
    assert [*key_file_faults("SHOP_FIELD_KEY_FILE", path)] == [
        f"SHOP_FIELD_KEY_FILE: {path} was made for development"
    ]


@pytest.mark.parametrize("content", [None, b"", b"not a key"])
def test_a_key_file_that_holds_no_key_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "field.key"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ValueError, match=r"field\.key"):
        FieldCipher.from_file(path)


def test_the_sixth_guess_waits_until_a_quarter_of_an_hour_after_the_fifth() -> None:
    guessed, start = credential(), now()
    for n in range(5):
        assert guessed.wait_s(start + n * MINUTE) == 0
        guessed.fail(start + n * MINUTE)

    assert guessed.wait_s(start + 5 * MINUTE) == 14 * 60
    assert guessed.wait_s(start + 19 * MINUTE) == 0


def test_wrong_codes_far_apart_are_not_added_up() -> None:
    guessed, start = credential(), now()
    for n in range(20):
        guessed.fail(start + n * 15 * MINUTE)

    assert guessed.wait_s(start + 19 * 15 * MINUTE) == 0


def test_a_success_gives_all_guesses_back() -> None:
    guessed, moment = credential(), now()
    for _ in range(4):
        guessed.fail(moment)

    guessed.succeed()
    guessed.fail(moment)

    assert guessed.wait_s(moment) == 0


def test_a_user_agent_is_shown_without_what_does_not_print_and_cut_to_length() -> None:
    device = Device("192.0.2.1", "Fire\x1b[31mfox\x00 " + "x" * 400)

    assert device.label.startswith("Fire[31mfox ")
    assert len(device.label) == 255
