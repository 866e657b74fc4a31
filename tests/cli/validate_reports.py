"""validate_reports.py FERRY SOURCE: placement reports of our models against the JSON schema."""

import json
import pathlib
import subprocess
import sys

import jsonschema

ferry, source = sys.argv[1], pathlib.Path(sys.argv[2])
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
broken = json.loads(text)
broken["nodes"][0]["reason"]["code"] = "because"
if validator.is_valid(broken):
    raise SystemExit("the schema accepts a reason that does not exist")
print(f"{count} reports are valid")
