"""Where the backend may listen."""

import pytest

from chestct.errors import SettingsError
from ml_backend.auth import require_safe_bind


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_loopback_needs_no_key(host: str) -> None:
    require_safe_bind(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "backend", ""])
def test_any_other_address_needs_one(host: str) -> None:
    with pytest.raises(SettingsError, match="LUNGLOOP_BACKEND_KEY"):
        require_safe_bind(host, None)
    require_safe_bind(host, "key")
