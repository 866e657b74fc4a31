"""Profiles against their schema, by a validator that is not ours: validate_profiles.py FERRY SOURCE

Ferry's own file, the example of the documentation, and what a calibration of the CPU writes; and a
GPU without memory, which the schema must refuse as Ferry does.
"""

import json
import pathlib
import subprocess
import sys

import jsonschema


def example_of(page):
    text = page.read_text()
    return json.loads(text[text.index("```json") + len("```json") : text.index("\n```\n")])


def main():
    ferry, source = sys.argv[1], pathlib.Path(sys.argv[2])
    schema = json.loads((source / "placement/profiles.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    calibrate = [ferry, "devices", "--calibrate", "-d", "cpu", "--format", "json"]
    own = json.loads((source / "placement/profiles.json").read_text())
    files = {
        "placement/profiles.json": own,
        "docs/profiles.md": example_of(source / "docs/profiles.md"),
        "the calibration": json.loads(subprocess.run(calibrate, check=True, capture_output=True).stdout),
    }
    failures = [f"{name}: {error.message}" for name, file in files.items() for error in validator.iter_errors(file)]
    gpu = next(device for device in own["devices"] if device["kind"] == "gpu")
    del gpu["memory_bytes"]
    if validator.is_valid(own):
        failures.append("a GPU without memory was not refused")
    print("\n".join(failures) or f"{len(files)} files are valid")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
