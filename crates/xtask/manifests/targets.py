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


def there(*names):
    return {
        (thing["kind"], thing["metadata"]["name"])
        for name in names
        for thing in json.loads((rendered / f"{name}.json").read_text())
    }


def seen_by(folder):
    """What each rendering of this kustomization is made of; a component may take away what it finds."""
    match folder.relative_to(manifests).parts:
        case ["base"]:
            return [there("dev"), there("prod")]
        case ["overlays", name]:
            return [there(name)]
        case ["examples", name]:
            return [there(f"example-{name}")]
        case ["components", name]:
            stems = [path.stem for path in rendered.glob(f"*+{name}.json")]
            return [there(stem, stem.partition("+")[0]) for stem in stems]


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
        for things in seen_by(path.parent):
            if not any(own_kind == kind and name.fullmatch(own_name) for own_kind, own_name in things):
                found += 1
                print(f"{path.relative_to(manifests)}: the target {target} is not there", file=sys.stderr)
print(f"{count} targets of patches")
sys.exit(1 if found else 0)
