#!/usr/bin/python3
"""Holds every line that the OCSF unit test renders against the schema's own validator, warnings included. Prints TAP.

usage: ocsf_schema.py OCSF_TEST   (the validator is ../shared/data/ocsf_validate.py beside the source tree, or $SAW_OCSF_VALIDATE)"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def validator():
    given = os.environ.get("SAW_OCSF_VALIDATE")
    places = [pathlib.Path(given)] if given else [p / "shared/data/ocsf_validate.py" for p in ROOT.parents]
    return next((p for p in places if p.exists()), None)


def main():
    tool = validator()
    if not tool:
        print("1..0 # SKIP no ../shared/data/ocsf_validate.py here (SAW_OCSF_VALIDATE names another place)")
        return 0
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as lines:
        made = subprocess.run([sys.argv[1]], env={**os.environ, "OCSF_TEST_OUT": lines.name}, capture_output=True, text=True)
        checked = subprocess.run([sys.executable, str(tool), "-w", "-n", "10000", lines.name], capture_output=True, text=True)
    warned = [l for l in checked.stdout.splitlines() if "warning" in l]
    good = made.returncode == 0 and checked.returncode == 0 and not warned
    print("1..1\n%sok 1 - every_rendered_line_passes_the_schema_without_warning" % ("" if good else "not "))
    print("\n".join("# " + l for l in checked.stdout.splitlines()[-40:]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
