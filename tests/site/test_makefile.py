"""The commands of the Makefile, and the CI workflow that calls them."""

import json
import re
import subprocess

import pytest
import yaml

from scripts.environment import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
VERSION = r"\d+(?:\.\d+)*"


def make(*arguments):
    return subprocess.run(["make", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("arguments", [[], ["help"]], ids=["make", "make help"])
def test_help_lists_every_target(arguments):
    lines = re.findall(r"^  make ([a-z-]+) +(\S.*)$", make("--no-print-directory", *arguments), re.MULTILINE)
    assert sorted(target for target, _ in lines) == sorted(TARGETS)


def test_workflow_calls_existing_targets():
    commands = [step["run"] for step in STEPS if "run" in step]
    called = [re.fullmatch(r"make ([a-z]+)", command)[1] for command in commands]
    assert {"check", "test"} <= set(called) <= TARGETS


def test_ci_script_calls_make_test():
    assert "\nexec make test\n" in (ROOT / ".ci/run").read_text()


def test_workflow_uses_the_oldest_supported_versions():
    python = re.search(r"sys\.version_info >= \((\d+), (\d+)\)", MAKEFILE)
    node = re.search(VERSION, json.loads((ROOT / "package.json").read_text())["engines"]["node"])[0]
    images = {job["container"] for job in WORKFLOW["jobs"].values()}
    nodes = {str(step["with"]["node-version"]) for step in STEPS if "node-version" in step.get("with", {})}
    assert images == {f"python:{python[1]}.{python[2]}-bookworm"}
    assert nodes == {node}


def test_dependabot_watches_every_ecosystem():
    config = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
    assert {update["package-ecosystem"] for update in config["updates"]} == {"pip", "npm", "github-actions"}
