"""The files around the code say the same as the code: versions, commands, names, pictures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
REPOSITORY = PROJECT["project"]["urls"]["Repository"]
OWNER_AND_NAME = REPOSITORY.removeprefix("https://github.com/")


def read_yaml(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def workflow(name: str) -> dict:
    return read_yaml(GITHUB / "workflows" / f"{name}.yml")


def test_the_citation_has_the_version_and_the_licence_of_the_project():
    citation = read_yaml(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == VERSION
    assert citation["repository-code"] == REPOSITORY
    assert citation["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:200]
    papers = {paper["identifiers"][0]["value"]: paper["title"].split(":")[0] for paper in citation["references"]}
    assert papers["arXiv:2412.07760"] == "SynCamMaster"


def test_the_workflow_runs_the_one_command_that_contributors_run():
    steps = workflow("test")["jobs"]["test"]["steps"]
    command = "python3 scripts/dev.py test"
    assert [step["run"] for step in steps if "dev.py" in step.get("run", "")] == [command]
    assert command in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    hashed = next(step["with"]["key"] for step in steps if step.get("uses", "").startswith("actions/cache"))
    for name in re.findall(r"'([^']+)'", hashed):
        assert (ROOT / name).is_file()


def test_only_a_tested_tag_is_published_and_its_token_is_the_repositorys_secret():
    publish = workflow("publish")
    assert publish[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key `on` as true
    tests, job = publish["jobs"]["test"], publish["jobs"]["publish"]
    assert (ROOT / tests["uses"]).is_file()
    assert tests["if"] == f"github.repository == '{OWNER_AND_NAME}'"
    assert job["needs"] == "test"
    action = job["steps"][-1]
    assert re.fullmatch(r"Comfy-Org/publish-node-action@[0-9a-f]{40}", action["uses"])
    assert action["with"]["personal_access_token"] == "${{ secrets.REGISTRY_ACCESS_TOKEN }}"


@pytest.mark.parametrize(
    ("tag", "heading", "said"),
    [
        (f"v{VERSION}", f"## {VERSION} (2026-12-01)", None),
        (f"v{VERSION}0", f"## {VERSION} (2026-12-01)", f"pyproject.toml has version {VERSION}"),
        (VERSION, f"## {VERSION} (2026-12-01)", f"tag v{VERSION}"),
        (f"v{VERSION}", f"## {VERSION} (unreleased)", f"no heading '## {VERSION} (YYYY-MM-DD)'"),
    ],
)
def test_a_tag_is_published_only_where_it_is_the_version_and_the_changelog_is_dated(tag, heading, said, tmp_path):
    (script,) = (step["run"] for step in workflow("publish")["jobs"]["publish"]["steps"] if "run" in step)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n", encoding="utf-8")
    command, environment = ["bash", "-eo", "pipefail", "-c", script], {**os.environ, "TAG": tag}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == (said is not None), run.stdout + run.stderr
    if said:
        assert run.stdout.startswith("::error::")
        assert said in run.stdout


@pytest.mark.parametrize("name", ["bug_report", "feature_request"])
def test_an_issue_form_is_one_that_github_takes(name):
    form = read_yaml(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "title", "labels", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert len({field["attributes"]["label"] for field in fields}) == len(fields)
    for field in form["body"]:
        known = {
            "markdown": {"value"},
            "input": {"label", "description", "placeholder", "value"},
            "textarea": {"label", "description", "placeholder", "value", "render"},
            "checkboxes": {"label", "description", "options"},
        }[field["type"]]
        assert set(field["attributes"]) <= known
        assert set(field) <= {"type", "id", "attributes", "validations"}
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_a_bug_report_asks_for_what_a_fault_is_repeated_with():
    form = read_yaml(GITHUB / "ISSUE_TEMPLATE" / "bug_report.yml")
    required = {field["id"] for field in form["body"] if field.get("validations", {}).get("required")}
    assert required == {"what", "message", "workflow", "comfyui", "frontend", "pack", "python", "machine"}


def test_questions_and_faults_of_security_have_their_own_places():
    config = read_yaml(GITHUB / "ISSUE_TEMPLATE" / "config.yml")
    assert config["blank_issues_enabled"] is False
    links = [link["url"] for link in config["contact_links"]]
    assert links == [f"{REPOSITORY}/discussions/categories/q-a", f"{REPOSITORY}/security/advisories/new"]
    assert links[1] in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_hook_before_a_commit_has_the_ruff_of_the_tests():
    (hooks,) = read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    (pinned,) = re.findall(r"^ruff==(.+)$", (ROOT / "tests" / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    assert hooks["rev"] == f"v{pinned}"
    assert [hook["id"] for hook in hooks["hooks"]] == ["ruff-check", "ruff-format"]


@pytest.mark.parametrize(("key", "size"), [("Icon", (400, 400)), ("Banner", (1260, 540))])
def test_the_registrys_pictures_are_files_of_the_repository(key, size):
    folder = f"https://raw.githubusercontent.com/{OWNER_AND_NAME}/main/"
    url = PROJECT["tool"]["comfy"][key]
    assert url.startswith(folder)
    path = ROOT / url.removeprefix(folder)
    with Image.open(path) as picture:
        assert picture.size == size
    assert path.stat().st_size <= 800_000
    assert path.with_suffix(".svg").is_file()


def test_the_changelog_begins_with_the_version_of_the_project():
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == VERSION


def test_the_requirements_of_the_project_are_those_of_its_file():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert PROJECT["project"]["dependencies"] == lines
    assert not any(line.startswith("torch") for line in lines)
