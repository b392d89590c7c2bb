"""Secrets of webhooks: made, shown once, and sealed under a key that is not in the store."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from app import key_files
from app.config import Settings
from models.store import clock
from models.store.errors import Invalid

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

PREFIX = "whsec_"
SECRET_BYTES = 32
KEY_FILE = "promobridge-webhooks.key"


class Seal:
    """Seal and open secrets with the key of an installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def path(self) -> Path:
        """Return the file of the key."""
        return key_files.place(self._settings.webhook_key_file, KEY_FILE, self._settings)

    def sealed(self, secret: str) -> str:
        """Return a secret as the store keeps it. Raises Invalid where the key cannot be made."""
        return self._fernet().encrypt(secret.encode()).decode()

    def opened(self, sealed: str) -> str:
        """Return the secret of what the store keeps. Raises Invalid for that of another key."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Invalid(
                f"The webhook's secret was not sealed with the key in {self.path.name}: bring that "
                "file back, or rotate the secret",
                "webhook_key",
            ) from None

    def _fernet(self) -> Fernet:
        from cryptography.fernet import Fernet  # a server without webhooks needs none of it

        try:
            key = bytes.fromhex(key_files.key(self.path).decode())
            return Fernet(base64.urlsafe_b64encode(key))
        except (ValueError, OSError):
            raise Invalid(f"{self.path} holds no key of webhooks", "webhook_key") from None


def new() -> str:
    """Return a new secret, in the form of the Standard Webhooks specification."""
    return PREFIX + base64.b64encode(clock.random_bytes(SECRET_BYTES)).decode()
