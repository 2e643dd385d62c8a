import httpx
import pytest

from service.web.headers import CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("path", ["/robots.txt", "/gibt-es-nicht", "/en/gibt-es-nicht"])
async def test_every_answer_carries_the_security_headers(
    anonymous: httpx.AsyncClient, path: str
) -> None:
    answer = await anonymous.get(path)

    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]


async def test_an_unknown_address_gets_our_page_in_its_language(
    anonymous: httpx.AsyncClient,
) -> None:
    german = await anonymous.get("/gibt-es-nicht")
    english = await anonymous.get("/en/not-there")

    assert [german.status_code, english.status_code] == [404, 404]
    assert '<html lang="de">' in german.text
    assert '<html lang="en">' in english.text
