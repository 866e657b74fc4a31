"""validate_reports.py FERRY WRITE_REPORTS SOURCE: placement reports against the JSON schema.

Of our models on every kind of device, and of a synthetic placement that has every field.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

ferry, write_reports, source = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
schema = json.loads((source / "placement/placement.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
count = 0
for model in sorted((source / "models").glob("*.onnx")):
    for device in ("cpu", "sim:0", "sim:0,cpu", "sim:0,cpu --policy fastest"):
        command = [ferry, "place", str(model), "--format", "json", "-d", *device.split()]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        validator.validate(json.loads(text))
        count += 1

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "report.json"
    subprocess.run([write_reports, "64", str(path)], check=True)
    full = json.loads(path.read_text())
validator.validate(full)
count += 1


def unknown_members(value, known, place):
    """Members of a report that the schema does not describe."""
    if isinstance(value, list):
        for item in value:
            yield from unknown_members(item, known.get("items", {}), place + "[]")
    elif isinstance(value, dict):
        for key, item in value.items():
            described = known.get("properties", {}).get(key, known.get("additionalProperties"))
            if described is None:
                yield f"{place}.{key}"
            else:
                yield from unknown_members(item, described, f"{place}.{key}")


unknown = sorted(set(unknown_members(full, schema, "$")))
if unknown:
    raise SystemExit(f"the schema does not describe {', '.join(unknown)}")


def break_at(*path, to):
    report = copy.deepcopy(full)
    at = report
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return report


for broken in (
    break_at("nodes", 0, "reason", "code", to="because"),
    break_at("nodes", 0, "device", to="gpu"),
    break_at("nodes", 0, "move_seconds", to={"gpu": 1}),
    break_at("copies", 0, "kind", to="gift"),
    break_at("copies", 0, "bytes", "value", to=-1),
    break_at("devices", 1, "memory", "steps", to=[0.5]),
    break_at("size_ranges", 0, "first", to="one"),
    break_at("measured", to={}),
):
    if validator.is_valid(broken):
        raise SystemExit("the schema accepts a report that is wrong")
print(f"{count} reports are valid")
