#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what an image is made of: sbom.json (CycloneDX 1.5) and version.json.

sbom.py --version V --board B --flavour F --security N --kernel VERSION --epoch SECONDS --arch DEBIAN-ARCH --deps FOLDER
        --commit ID --taken FILE --used PACKAGE... --libs FLAGS --out FOLDER

Three kinds of parts: third-party source that we compile (a .dep file each, with its SHA-256), packages whose files go into the
image (--taken, by debian.sh, those named by --used), and packages of this machine whose archives are linked in (--libs).
"""
import argparse
import datetime
import json
import platform
import subprocess
import sys
import uuid
from pathlib import Path

RECORDED = Path(__file__).resolve().parent.parent / "deps"
NAMESPACE = uuid.UUID("7d5f3a52-5cf1-4c39-9a0f-5ac4e7b7c1d2")  # of these serial numbers, drawn once


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def component(kind, name, version, purl, sha256=None):
    part = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if sha256:
        part["hashes"] = [{"alg": "SHA-256", "content": sha256}]
    return part


def debian(name, version, arch, sha256=None):
    return component("library", name, version, f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={arch}", sha256)


def assignments(path):
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {name: value.strip('"') for name, equals, value in pairs if equals and name.isidentifier()}


def compiled(deps, machine):
    for record in sorted(RECORDED.glob("*.dep")):
        taken = Path(deps, machine, record.stem, "taken")
        if not taken.is_file():  # built for this machine's processor, or the same source for all
            taken = Path(deps, record.stem, "taken")
        if not taken.is_file():
            continue
        taken, record = assignments(taken), assignments(record)
        sha256 = taken.get("sha256") or (record["sha256"] if taken["version"] == record["version"] else None)
        if not sha256:
            raise SystemExit(f"sbom.py: the SHA-256 of {taken['name']} {taken['version']} was not recorded")
        yield component("library", taken["name"], taken["version"], f"pkg:generic/{taken['name']}@{taken['version']}", sha256)


def unpacked(path, used, arch):
    lines = [line.split() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    known = {name: (version, sha256) for name, version, sha256, _ in lines}
    for name in sorted(used):
        yield debian(name, known[name][0], arch, known[name][1])


def linked(libs, deps, machine, arch):
    """The packages that the archives are of; those that we compile ourselves are named already. Of a foreign processor they
    are the cross compiler's, which stand for the packages of that processor, and what debian.sh has unpacked."""
    foreign = machine != platform.machine()
    compiler = f"{machine}-linux-gnu-gcc" if foreign else "gcc"
    files = ["libc.a", *(f"lib{flag[2:]}.a" for flag in libs.split() if flag.startswith("-l"))]
    packages = {"libgcc-12-dev" + (f"-{arch}-cross" if foreign else "")}
    for file in files:
        unpacked_here = list(Path(deps, f"debian-{arch}").glob(f"*/usr/lib/*/{file}")) if foreign else []
        path = Path(said(compiler, f"-print-file-name={file}"))
        if unpacked_here:
            yield from unpacked(Path(deps, f"debian-{arch}", "taken"), {unpacked_here[0].relative_to(Path(deps)).parts[1]}, arch)
        elif path.is_absolute() and not list(Path(deps).glob(f"*/lib/{file}")):
            packages.add(said("dpkg-query", "-S", str(path.resolve())).split(":")[0])
    for package in sorted(packages):
        name = package if foreign else f"{package}:{arch}"
        yield debian(package, said("dpkg-query", "-W", "-f=${Version}", name), "all" if foreign else arch)


def main():
    ask = argparse.ArgumentParser(description="Writes what an image is made of.")
    for option in ("version", "board", "flavour", "kernel", "machine", "arch", "deps", "taken", "libs", "out"):
        ask.add_argument("--" + option, required=True)
    ask.add_argument("--commit", required=True)  # empty: the tree is not one of git
    for option in ("security", "epoch"):
        ask.add_argument("--" + option, required=True, type=int)
    ask.add_argument("--used", nargs="+", required=True)
    given = ask.parse_args()
    time = datetime.datetime.fromtimestamp(given.epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = [*compiled(given.deps, given.machine), *unpacked(given.taken, given.used, given.arch),
             *linked(given.libs, given.deps, given.machine, given.arch)]
    firmware = component("firmware", "rowlock", given.version, f"pkg:generic/rowlock@{given.version}")
    firmware["properties"] = [{"name": f"rowlock:{name}", "value": str(getattr(given, name))} for name in ("board", "flavour", "security")]
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"timestamp": time, "component": firmware},
            "components": parts}
    sbom["serialNumber"] = "urn:uuid:" + str(uuid.uuid5(NAMESPACE, json.dumps(sbom, sort_keys=True)))
    version = {"product": "rowlock", "version": given.version, "board": given.board, "flavour": given.flavour,
               "securityVersion": given.security, "kernel": given.kernel, "sourceDate": time,
               "commit": given.commit or None, "parts": [{"name": part["name"], "version": part["version"]} for part in parts]}
    for name, content in (("sbom.json", sbom), ("version.json", version)):
        Path(given.out, name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
