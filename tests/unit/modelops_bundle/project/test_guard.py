"""The secret guard: every rule by name and by content, at the moment of adding and of pushing."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops_bundle.choosing import add_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project import guard
from modelops_bundle.project.guard import check_content, check_name
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import InvalidInput
from support.projects import make_registered

# A path that falls under each rule.
NAMES = {
    "id_rsa": "keys/id_rsa", "id_dsa": "id_dsa", "id_ecdsa": "id_ecdsa",
    "id_ed25519": "a/b/id_ed25519", "*.pem": "tls/server.PEM", "*.key": "server.key",
    "*.p12": "a.p12", "*.pfx": "a.pfx", "*.kdbx": "passwords.kdbx", ".netrc": "home/.netrc",
    ".pypirc": ".pypirc", ".npmrc": "web/.npmrc", ".git-credentials": ".git-credentials",
    "credentials.json": "gcp/credentials.json", ".aws/credentials": "home/.aws/credentials",
    ".azure/*": ".azure/accessTokens.txt", ".docker/config.json": ".docker/config.json",
    "kubeconfig": "cluster/kubeconfig", ".kube/config": ".kube/config", ".env": "app/.env",
    ".env.*": ".env.production", "*.tfstate": "infra/terraform.tfstate",
}  # fmt: skip
# A text that falls under each rule, and the part of it that is never shown. They are put together
# here, so that no scanner takes this file for a leak.
WORD = "Zm9vYmFy"
CONTENTS = {
    "private-key": ("-----BEGIN OPENSSH " + "PRIVATE KEY-----", "OPENSSH"),
    "azure-account-key": ("AccountKey=" + WORD * 6, WORD * 6),
    "azure-shared-access": ("SharedAccess" + "Signature=sv=2020&" + WORD * 3, WORD * 3),
    "signed-url": ("https://a.example/b?sv=1&" + "sig=" + WORD * 5, WORD * 5),
    "aws-key-id": ("key: AKIA" + "ZQ3D" * 4, "ZQ3D"),
    "aws-secret": ("aws_secret_" + "access_key: '" + WORD * 5 + "'", WORD * 5),
    "github-token": ("token = ghp_" + WORD * 5, WORD * 5),
    "gitlab-token": ("glpat-" + WORD * 3, WORD * 3),
    "slack-token": ("xoxb-" + WORD * 3, WORD * 3),
    "url-password": ("postgres://me:" + WORD + "@db.example/x", WORD),
}
# The same rules in the spellings that other tools write.
SPELLINGS = [
    ("private-key", "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----"),
    ("azure-account-key", '{"Account' + 'Key": "' + WORD * 11 + '=="}'),
    ("azure-account-key", "account" + "key = " + WORD * 11),
    ("signed-url", "https://a.example/b?sv=1&amp;" + "sig=" + WORD * 5),
    ("aws-secret", '"SecretAccess' + 'Key": "' + WORD * 5 + '"'),
    ("aws-secret", "export AWS_SECRET_" + "ACCESS_KEY=" + WORD * 5),
    ("slack-token", "xapp-1-" + "A0123-" + WORD * 2),
    ("url-password", "redis://:" + WORD + "@cache.example:6379/0"),
    ("url-password", "MYSQL://root:" + WORD + "@localhost/db"),
    ("url-password", "https://me:p%40" + WORD + "@host.example/"),
]
INNOCENT = {
    "docs/keys.md": "The key of a model is its digest; see the .env file of your shell.",
    "environment.yml": "name: sir\n",
    "monkey.py": "PASSWORD = None  # asked for at run time\n",
    "urls.txt": "https://user@host.example/path http://localhost:8080/@x\n",
    "my.keys.csv": "AccountKey,1\n",
    "template.txt": "postgres://${USER}:${PASSWORD}@host/db\n",
    "placeholder.md": "https://user:password@host.example/, or postgres://USER:PASS@host/db\n",
    "connect.py": 'ADDRESS = "postgresql://%s:%s@%s/db" % read()\n',
    "addresses.txt": "http://a.example:80,b@c.example\n",
    "slack.md": "put your own xoxb-your-token-here into the settings of the bot\n",
    "iot.md": "a SharedAccessSignature authentication is described elsewhere\n",
    "keys.R": "Sys.getenv('AWS_SECRET_ACCESS_KEY') # aws_secret_access_key = settings.key\n",
    "key.py": "AccountKey = read_the_key_of_the_account()\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


def put(project: Project, path: str, text: str) -> str:
    file = project.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return path


def test_every_rule_has_an_example() -> None:
    assert set(NAMES) == set(guard._NAMES)
    assert set(CONTENTS) == {rule for rule, _ in guard._CONTENT}


@pytest.mark.parametrize("rule", NAMES)
def test_names(project: Project, tmp_path: Path, rule: str) -> None:
    path = put(project, NAMES[rule], "harmless")
    assert check_name(path) == f"name:{rule}"
    refused_at_add_and_push(project, tmp_path, path, f"name:{rule}")


@pytest.mark.parametrize("rule", CONTENTS)
def test_contents(project: Project, tmp_path: Path, rule: str) -> None:
    text, hidden = CONTENTS[rule]
    path = put(project, "notes/plan.txt", f"first line\n{text}\n")
    assert check_content(text.encode()) == [(rule, 1)]
    error = refused_at_add_and_push(project, tmp_path, path, rule)
    assert "notes/plan.txt:2" in error
    assert hidden not in error


@pytest.mark.parametrize(("rule", "text"), SPELLINGS)
def test_other_spellings(rule: str, text: str) -> None:
    assert check_content(f"first line\n{text}\n".encode()) == [(rule, 2)]


@pytest.mark.parametrize("text", ["a.", "://", "http://a:", "AccountKey ", "xox-", "?sig=%"])
def test_a_megabyte_of_odd_text_is_looked_through_in_one_go(text: str) -> None:
    """A rule that begins anew at every letter would take minutes for one of them."""
    size = guard.LARGEST_TEXT - len("://")
    assert check_content((text * (size // len(text)) + "://").encode()) == []


def refused_at_add_and_push(project: Project, tmp_path: Path, path: str, rule: str) -> str:
    """Nothing is tracked, nothing is sent, force or not; the message is returned."""
    before = read_tracked(project.root)
    ignored = project.ignore_rules().is_ignored(path)
    if ignored:  # left out with a warning; only --force gets to the guard
        assert add_files(project, [path], cwd=project.root).ignored == (path,)
    for force in (True,) if ignored else (False, True):
        with pytest.raises(InvalidInput) as caught:
            add_files(project, [path], force=force, cwd=project.root)
        assert path in str(caught.value)
        assert rule in str(caught.value)
        assert read_tracked(project.root) == before
    write_tracked(project.root, [*before, path])  # as a merge, or an older version, may have done
    store = LayoutStore(tmp_path / "artifacts", "little")
    with pytest.raises(InvalidInput) as sent:
        push(project, store)
    assert path in str(sent.value)
    assert not store.root.exists()
    return str(caught.value) + str(sent.value) + repr(caught.value.details)


@pytest.mark.parametrize("path", INNOCENT)
def test_what_only_sounds_like_one(project: Project, path: str) -> None:
    add_files(project, [put(project, path, INNOCENT[path])], cwd=project.root)
    assert path in read_tracked(project.root)


def test_a_secret_that_comes_later_into_a_tracked_file(project: Project, tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "artifacts", "little")
    first = push(project, store)
    put(project, "data/cases.csv", f"week,cases\n{CONTENTS['github-token'][0]}\n")
    with pytest.raises(InvalidInput, match=r"data/cases\.csv:2"):
        push(project, store)
    assert store.resolve("latest") == first.manifest


def test_large_and_binary_files_are_judged_by_name_only(project: Project) -> None:
    text = CONTENTS["github-token"][0]
    add_files(project, [put(project, "a.bin", f"\0{text}")], cwd=project.root)
    add_files(project, [put(project, "b.txt", text + "x" * guard.LARGEST_TEXT)], cwd=project.root)
    with pytest.raises(InvalidInput):
        add_files(project, [put(project, "c.pem", "\0")], cwd=project.root)
