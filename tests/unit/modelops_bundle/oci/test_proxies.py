"""Requests through a proxy, and certificates beside those of the machine."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from modelops_bundle.oci.auth import GivenCredential
from modelops_bundle.oci.proxies import ProxySettings, read_proxies
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential
from modelops_contracts.errors import AccessDenied, InvalidInput, Unavailable
from modelops_contracts.testing.artifact_store import digest_of
from support.certificates import make_certificate
from support.proxies import SmallProxy
from support.registries import find_registry
from support.registry_faults import FaultyRegistry

NAME = "registry.example.org"


@pytest.mark.parametrize(
    ("url", "exceptions", "expected"),
    [
        (f"http://{NAME}/v2/", "", "http://p:1"),
        (f"https://{NAME}/v2/", "", "http://s:2"),
        (f"https://{NAME}/v2/", "example.org", None),
        (f"https://{NAME}/v2/", ".example.org, other", None),
        (f"https://{NAME}/v2/", "*.example.org", None),
        (f"https://{NAME}/v2/", "le.org", "http://s:2"),
        (f"https://{NAME}:444/v2/", f"{NAME}:443", "http://s:2"),
        (f"https://{NAME}:444/v2/", f"{NAME}:444", None),
        ("https://10.1.2.3/v2/", "10.0.0.0/8", None),
        ("https://11.1.2.3/v2/", "10.0.0.0/8", "http://s:2"),
        (f"https://{NAME}/v2/", "*", None),
        ("http://127.0.0.1:5000/v2/", "", None),
        ("http://localhost:5000/v2/", "", None),
        ("http://[::1]:5000/v2/", "", None),
    ],
)
def test_what_goes_through_a_proxy(url: str, exceptions: str, expected: str | None) -> None:
    variables = {"HTTP_PROXY": "http://p:1", "https_proxy": "s:2", "NO_PROXY": exceptions}
    assert read_proxies(variables).for_url(url) == expected


def test_nothing_goes_through_what_is_not_set() -> None:
    assert read_proxies({}).for_url(f"https://{NAME}") is None
    assert read_proxies({"HTTP_PROXY": " "}) == ProxySettings()
    lower = read_proxies({"HTTP_PROXY": "http://upper:1", "http_proxy": "http://lower:1"})
    assert lower.for_url(f"http://{NAME}") == "http://lower:1"


def test_a_registry_behind_a_proxy() -> None:
    with FaultyRegistry() as registry, SmallProxy({NAME: registry.address}) as proxy:
        settings = read_proxies({"HTTP_PROXY": f"http://{proxy.address}"})
        store = RemoteStore(NAME, "a/b", plain_http=True, proxies=settings)
        store.put_blob(digest_of(b"data"), io.BytesIO(b"data"))
        with store.get_blob(digest_of(b"data")) as stream:
            assert stream.read() == b"data"
        store.http.close()
        assert registry.seen
        assert all(line.split()[1].startswith(f"http://{NAME}/v2/") for line in proxy.seen)


def test_a_proxy_that_asks_for_a_password() -> None:
    with (
        FaultyRegistry() as registry,
        SmallProxy({NAME: registry.address}, login=("me", "p@ss word")) as proxy,
    ):
        right = read_proxies({"HTTP_PROXY": f"http://me:p%40ss%20word@{proxy.address}"})
        store = RemoteStore(NAME, "a/b", plain_http=True, proxies=right)
        assert dict(store.tags()) == {}
        store.http.close()
        wrong = read_proxies({"HTTP_PROXY": f"http://me:s3cret-word@{proxy.address}"})
        assert "s3cret" not in repr(wrong)
        store = RemoteStore(NAME, "a/b", plain_http=True, proxies=wrong)
        with pytest.raises((InvalidInput, AccessDenied, Unavailable)) as caught:
            store.tags()
        assert "407" in str(caught.value)
        assert "s3cret" not in str(caught.value)
        store.http.close()


def test_a_proxy_that_is_not_there_or_none() -> None:
    gone = read_proxies({"HTTP_PROXY": "http://me:s3cret-word@127.0.0.1:9"})
    store = RemoteStore(NAME, "a/b", plain_http=True, proxies=gone)
    with pytest.raises(Unavailable) as caught:
        store.tags()
    assert "s3cret" not in str(caught.value)
    store.http.close()
    strange = read_proxies({"HTTP_PROXY": "socks5://me:s3cret-word@127.0.0.1:9"})
    store = RemoteStore(NAME, "a/b", plain_http=True, proxies=strange)
    with pytest.raises(InvalidInput, match="http://host:port") as refused:
        store.tags()
    assert "s3cret" not in str(refused.value)


def test_no_login_goes_to_another_machine_without_encryption() -> None:
    with (
        FaultyRegistry(login=("me", "s3cret-word")) as registry,
        SmallProxy({NAME: registry.address}) as proxy,
    ):
        settings = read_proxies({"HTTP_PROXY": f"http://{proxy.address}"})
        source = GivenCredential(Credential("me", "s3cret-word"))
        store = RemoteStore(NAME, "a", plain_http=True, proxies=settings, sources=[source])
        with pytest.raises(AccessDenied, match="without encryption"):
            store.tags()
        assert not [item for item in registry.seen if "Authorization" in item.headers]
        store.http.close()


def test_tls_goes_through_a_tunnel_and_is_checked_at_its_end() -> None:
    real = find_registry("tls")
    assert real.login is not None
    port = real.address.rpartition(":")[2]
    name = f"{NAME}:{port}"
    with SmallProxy({name: real.address}) as proxy:
        settings = read_proxies({"HTTPS_PROXY": f"http://{proxy.address}"})
        source = GivenCredential(Credential(*real.login))
        store = RemoteStore(name, "a", sources=[source], ca_file=real.ca_file, proxies=settings)
        with pytest.raises(Unavailable, match=f"certificate is not valid for '{NAME}'"):
            store.tags()
        assert proxy.seen == [f"CONNECT {name}"]
        store.http.close()


def test_certificates_beside_those_of_the_machine(tmp_path: Path) -> None:
    real = find_registry("tls")
    assert real.login is not None
    sources = [GivenCredential(Credential(*real.login))]
    trusting = RemoteStore(
        real.address, "tests/ca", sources=sources, plain_http=False, also_trust=real.ca_file
    )
    assert dict(trusting.tags()) == {}
    trusting.http.close()
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(InvalidInput, match=r"ca\.pem is no readable file of certificates"):
        RemoteStore(real.address, "a", also_trust=tmp_path / "ca.pem")


def test_a_certificate_that_is_not_trusted_says_how_to_trust_it(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "tls", "registry.example.org")
    with FaultyRegistry(certificate=certificate) as registry:
        for trusted, words in ((None, "self-signed"), (certificate[0], "not valid for")):
            store = RemoteStore(registry.address, "a/b", plain_http=False, also_trust=trusted)
            with pytest.raises(Unavailable, match=words) as caught:
                store.tags()
            assert "MODELOPS_CA_BUNDLE" in str(caught.value.hint)
            store.http.close()
