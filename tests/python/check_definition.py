"""Validates definitions by a JSON schema, as an editor does.

    check_definition.py SCHEMA.json FILE.toml...

Prints for each file its name and "ok", or the places of what the schema refuses.
"""

import json
import pathlib
import sys
import tomllib

from jsonschema import Draft202012Validator

schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for name in sys.argv[2:]:
    definition = tomllib.loads(pathlib.Path(name).read_text())
    places = {"/".join(map(str, error.absolute_path)) for error in validator.iter_errors(definition)}
    print(pathlib.Path(name).name, " ".join(f"/{place}" for place in sorted(places)) or "ok")
