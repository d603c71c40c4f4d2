"""HTTP to Label Studio: who we are, time-outs, and every failure in the project's words."""

from collections.abc import Generator
from typing import Any

import httpx

from chestct.errors import InputError, NotFoundError, ServiceUnavailableError

SERVICE = "Label Studio"
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
_LONGEST_DETAIL = 500


class PersonalAccessToken(httpx.Auth):
    """A personal access token, which only buys access tokens of 300 s (Label Studio 1.23)."""

    requires_response_body = True

    def __init__(self, base_url: str, token: str) -> None:
        self._refresh_url = base_url.rstrip("/") + "/api/token/refresh"
        self._token = token
        self._access = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds the header; a refused access token is renewed once."""
        if self._access:
            request.headers["Authorization"] = f"Bearer {self._access}"
            answer = yield request
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                return
        answer = yield httpx.Request("POST", self._refresh_url, json={"refresh": self._token})
        if answer.is_success:
            self._access = str(answer.json().get("access", ""))
        request.headers["Authorization"] = f"Bearer {self._access}"
        yield request


class LabelStudioHttp:
    """One connection pool to one Label Studio.

    Args:
        token: a legacy key or a personal access token.
        transport: another way to send requests, for tests.
    """

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        # A personal access token is a JWT, three parts between dots; else it is the legacy key of 40 letters.
        is_personal = token.count(".") == 2
        try:
            self._client = httpx.Client(
                base_url=self.url,
                auth=PersonalAccessToken(self.url, token) if is_personal else None,
                headers={} if is_personal else {"Authorization": f"Token {token}"},
                timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
                transport=transport,
            )
        except httpx.InvalidURL as error:
            raise ServiceUnavailableError(SERVICE, f"{url!r} is not an address: {error}") from error

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def json(self, method: str, path: str, **arguments: Any) -> Any:
        """The JSON that Label Studio answers; None where it answers nothing.

        Raises:
            ServiceUnavailableError: no answer, a refused token, an error of its own, no JSON.
            NotFoundError: there is no such thing.
            InputError: it refuses what we sent.
        """
        answer = self._send(method, path, **arguments)
        if answer.status_code == httpx.codes.NO_CONTENT or not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise ServiceUnavailableError(
                SERVICE, f"{self.url}{path} answers no JSON; is that address really Label Studio's?"
            ) from error

    def bytes(self, path: str, most_bytes: int) -> bytes:
        """What Label Studio serves at a path of its own, up to a limit.

        Raises:
            InputError: larger than `most_bytes`, or refused.
        """
        try:
            with self._client.stream("GET", path) as answer:
                if not answer.is_success:
                    answer.read()
                    self._raise_for(answer, path)
                content = bytearray()
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > most_bytes:
                        raise InputError(path, f"is larger than {most_bytes} bytes")
                return bytes(content)
        except httpx.HTTPError as error:
            raise self._unavailable(error) from error

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self._request_once_or_twice(method, path, **arguments)
        except httpx.TransportError as error:
            raise self._unavailable(error) from error
        self._raise_for(answer, path)
        return answer

    def _request_once_or_twice(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **arguments)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # Its development server drops idle connections: reading again is safe, writing is not.
            if method != "GET":
                raise
            return self._client.request(method, path, **arguments)

    def _unavailable(self, error: httpx.HTTPError) -> ServiceUnavailableError:
        reason = str(error) or type(error).__name__
        return ServiceUnavailableError(
            SERVICE, f"{self.url} does not answer ({reason}); start it, or correct LUNGLOOP_LABEL_STUDIO_URL"
        )

    def _raise_for(self, answer: httpx.Response, path: str) -> None:
        status = answer.status_code
        if answer.is_success:
            return
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or answer.is_redirect:
            raise ServiceUnavailableError(
                SERVICE, f"{self.url} refuses the token ({status}); correct LUNGLOOP_LABEL_STUDIO_TOKEN"
            )
        if status == httpx.codes.NOT_FOUND:
            raise NotFoundError(f"Label Studio has no {path}")
        detail = answer.text[:_LONGEST_DETAIL]
        if answer.is_server_error:
            raise ServiceUnavailableError(SERVICE, f"{self.url}{path} failed with {status}: {detail}")
        raise InputError(f"Label Studio {path}", f"refused with {status}: {detail}")
