"""Writes onnx_schemas.tsv, ONNX's own description of every version of every operator:

    pip install onnx==1.22.0 && python tests/importer/dump_schemas.py > tests/importer/onnx_schemas.tsv

Columns: domain, operator, since version, deprecated, least and most inputs, least and most outputs,
attributes. An attribute is name:type, then ! when it is required, or =default.
"""

import onnx.defs
import onnx.helper

TYPES = {
    "INT": "i", "FLOAT": "f", "STRING": "s", "INTS": "I", "FLOATS": "F", "STRINGS": "S",
    "TENSOR": "t", "SPARSE_TENSOR": "t", "GRAPH": "g", "TYPE_PROTO": "y",
}  # fmt: skip


def shown(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple)):
        return "|".join(shown(item) for item in value)
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def attribute(schema_attribute):
    text = f"{schema_attribute.name}:{TYPES[schema_attribute.type.name]}"
    if schema_attribute.required:
        return text + "!"
    if schema_attribute.default_value.name:
        value = onnx.helper.get_attribute_value(schema_attribute.default_value)
        return f"{text}={shown(value)}"
    return text


def main():
    rows = []
    for schema in onnx.defs.get_all_schemas_with_history():
        attributes = " ".join(attribute(a) for _, a in sorted(schema.attributes.items()))
        rows.append((schema.domain, schema.name, schema.since_version, int(schema.deprecated),
                     schema.min_input, schema.max_input, schema.min_output, schema.max_output,
                     attributes))  # fmt: skip
    for row in sorted(rows):
        print(*row, sep="\t")


if __name__ == "__main__":
    main()
