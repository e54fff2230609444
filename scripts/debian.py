"""Installs what the tests need on Debian."""

import os
import shutil
import subprocess


def chromium():
    """Returns the path of Chromium, or None. The one without windows needs a quarter less time for the same pages."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def install(*packages):
    """Installs the packages if this is Debian and the user is root. Does nothing elsewhere."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print(f"Installing {', '.join(packages)} …", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL)
