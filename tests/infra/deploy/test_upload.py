"""Uploads of unchanged files make no version, and none touches the index-url file; real AWS CLI, moto's S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra import ROOT
from infra.build import startup_program
from infra.cli.aws import Aws, AwsError
from infra.cli.settings import UPLOADED
from infra.deploy.upload import put_if_changed, require_versioned, upload, upload_dags, upload_parts

if TYPE_CHECKING:
    from pathlib import Path


def bucket(s3: Any, name: str, *, versioned: bool = True) -> str:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def versions(s3: Any, name: str, key: str) -> list[str]:
    return [each["VersionId"] for each in s3.list_object_versions(Bucket=name, Prefix=key).get("Versions", [])]


@pytest.mark.long
def test_only_a_changed_file_makes_a_new_version(tmp_path: Path, aws: Aws, s3: Any) -> None:
    name, file = bucket(s3, "versions"), tmp_path / "plugins.zip"
    file.write_bytes(b"one")
    first = put_if_changed(aws, name, "plugins.zip", file)
    again = put_if_changed(aws, name, "plugins.zip", file)
    file.write_bytes(b"two")
    other = put_if_changed(aws, name, "plugins.zip", file)
    assert (first.changed, again.changed, other.changed) == (True, False, True)
    assert first.version_id == again.version_id
    assert sorted(versions(s3, name, "plugins.zip")) == sorted([first.version_id, other.version_id])


@pytest.mark.long
def test_uploading_dags_leaves_the_index_url_file_and_foreign_files_alone(
    tmp_path: Path, aws: Aws, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = bucket(s3, "dags-only")
    s3.put_object(Bucket=name, Key="dags/codeartifact.txt", Body=b"the valid line")
    s3.put_object(Bucket=name, Key="dags/of_somebody_else.py", Body=b"")
    before = versions(s3, name, "dags/")
    for file, content in {"a.py": "a", "codeartifact.txt": "an old copy", "__pycache__/a.pyc": "x"}.items():
        (tmp_path / "dags" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dags" / file).write_text(content)

    assert upload_dags(aws, name, tmp_path / "dags")

    assert s3.get_object(Bucket=name, Key="dags/codeartifact.txt")["Body"].read() == b"the valid line"
    assert set(versions(s3, name, "dags/")) - set(before) == set(versions(s3, name, "dags/a.py"))
    assert len(versions(s3, name, "dags/a.py")) == 1
    assert "left alone in the bucket, not in dags/ here: dags/of_somebody_else.py\n" in capsys.readouterr().out


@pytest.mark.long
def test_an_upload_returns_every_version_that_the_templates_take(tmp_path: Path, aws: Aws, s3: Any) -> None:
    name = bucket(s3, "uploads")
    files = ("build/plugins.zip", "build/refresher.zip", "requirements/requirements.txt", "requirements/startup.sh")
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(f"content of {file}")
    (tmp_path / "dags").mkdir()

    parameters, new = upload(aws, name, tmp_path / "requirements" / "requirements.txt", tmp_path)
    again, still_new = upload(aws, name, tmp_path / "requirements" / "requirements.txt", tmp_path)

    assert (new, still_new) == (True, False)
    assert parameters == again
    assert set(parameters) == UPLOADED
    stored = s3.get_object(Bucket=name, Key="startup.sh", VersionId=parameters["StartupScriptS3ObjectVersion"])
    assert stored["Body"].read() == b"content of requirements/startup.sh"


def test_the_uploaded_startup_script_has_the_program_of_the_current_sources(tmp_path: Path, aws: Aws, s3: Any) -> None:
    name, script = bucket(s3, "startup-script"), tmp_path / "requirements" / "startup.sh"
    (tmp_path / "plugins").symlink_to(ROOT / "plugins")
    script.parent.mkdir()
    script.write_text("before <<'PYTHON' || true\nan older program\nPYTHON\nafter\n")
    upload_parts(aws, name, ("startup.sh",), tmp_path / "requirements.txt", tmp_path)
    expected = f"before <<'PYTHON' || true\n{startup_program(ROOT / 'plugins')}PYTHON\nafter\n"
    assert s3.get_object(Bucket=name, Key="startup.sh")["Body"].read().decode() == expected


def test_the_index_url_file_cannot_be_uploaded_at_all(tmp_path: Path, aws: Aws) -> None:
    with pytest.raises(ValueError, match="is written by refreshers only"):
        put_if_changed(aws, "any", "dags/codeartifact.txt", tmp_path)


def test_a_missing_bucket_is_named_with_the_fix(aws: Aws) -> None:
    with pytest.raises(AwsError, match=r'The bucket "nowhere" \(BUCKET_NAME\) does not exist: run `make deploy`'):
        require_versioned(aws, "nowhere")


def test_a_bucket_without_versions_is_refused(aws: Aws, s3: Any) -> None:
    with pytest.raises(AwsError, match=r'The bucket "forgetful" \(BUCKET_NAME\) keeps no versions'):
        require_versioned(aws, bucket(s3, "forgetful", versioned=False))
