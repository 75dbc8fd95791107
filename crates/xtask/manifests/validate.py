"""Holds rendered manifests against the schemas of Kubernetes, strictly, and writes them as JSON for the checks of the house.

    validate.py FOLDER VERSION...

Every FOLDER/*.yaml becomes a *.json beside it: a list of objects. Objects that Kubernetes itself does not know are told of
and left alone. Exits with 1 when there is a fault.
"""

import json
import pathlib
import sys

import kubernetes_validate
import yaml

# Groups of Kubernetes's own; whatever else has a dot in its group is a custom resource.
OWN = ("apps", "autoscaling", "batch", "policy")


def is_own(thing):
    group = thing["apiVersion"].rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io") and not group.startswith("gateway.") or group in OWN


def faults(thing, version):
    try:
        kubernetes_validate.validate(thing, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
        yield f"{where or '.'}: {error.message}"
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
        yield error.message


def name_of(thing):
    return f"{thing['kind']} {thing['metadata']['name']}"


def main():
    folder, versions = pathlib.Path(sys.argv[1]), sys.argv[2:]
    # What is said of an object, and in which kustomizations: one fault in the base is in many.
    found, seen, count, custom = {}, set(), 0, set()
    for path in sorted(folder.glob("*.yaml")):
        things = [thing for thing in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader) if thing]
        path.with_suffix(".json").write_text(json.dumps(things))
        for thing in things:
            if not is_own(thing):
                custom.add(f"{thing['apiVersion']} {thing['kind']}")
                continue
            count += 1
            # What stands in several overlays word for word is looked at once.
            text = json.dumps(thing, sort_keys=True)
            if text in seen:
                continue
            seen.add(text)
            for version in versions:
                for fault in faults(thing, version):
                    places = found.setdefault(f"{name_of(thing)}: {fault}", {})
                    places.setdefault(path.stem, []).append(version)
    for fault, places in found.items():
        concerned = sorted({version for versions in places.values() for version in versions})
        print(f"{', '.join(places)}: {fault} (Kubernetes {', '.join(concerned)})", file=sys.stderr)
    print(f"{count} objects, {len(seen)} of them different, against Kubernetes {', '.join(sys.argv[2:])}")
    print(f"not checked here, since their definitions are not Kubernetes's: {', '.join(sorted(custom)) or 'none'}")
    sys.exit(1 if found else 0)


main()
