"""Finds patches of kustomizations whose target is nowhere, which Kustomize passes over without a word.

    targets.py RENDERED MANIFESTS

RENDERED has everything that can be rendered, as *.json of validate.py; MANIFESTS the kustomizations.
"""

import json
import pathlib
import re
import sys

import yaml

rendered, manifests = map(pathlib.Path, sys.argv[1:])
there = {
    (thing["kind"], thing["metadata"]["name"])
    for path in rendered.glob("*.json")
    for thing in json.loads(path.read_text())
}
count, found = 0, 0
for path in sorted(manifests.rglob("kustomization.yaml")):
    for patch in yaml.safe_load(path.read_text()).get("patches", []):
        target = patch.get("target")
        if target is None:
            # By what the patch itself says, which Kustomize insists on.
            continue
        count += 1
        kind, name = target.get("kind"), re.compile(target.get("name", ".*"))
        if unknown := set(target) - {"kind", "name"}:
            found += 1
            print(f"{path.relative_to(manifests)}: not understood here: {unknown}", file=sys.stderr)
        # A deletion leaves its target in the overlays that it is not put on.
        elif not any(own_kind == kind and name.fullmatch(own_name) for own_kind, own_name in there):
            found += 1
            print(f"{path.relative_to(manifests)}: the target {target} is nowhere", file=sys.stderr)
print(f"{count} targets of patches")
sys.exit(1 if found else 0)
