//! Faults planted in a copy of the manifests are found.

use super::*;

/// The manifests, copied to where this test may spoil them, with what they take from beside them.
struct Copy {
    check: Check,
    _folder: tempfile::TempDir,
}

impl Copy {
    fn new() -> Copy {
        let root = crate::root();
        packages::ensure(&packages::for_manifests()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let manifests = folder.path().join(MANIFESTS);
        copy(&root.join("deploy"), &folder.path().join("deploy"));
        let check = Check {
            manifests,
            work: folder.path().join("rendered"),
            kubectl: kubectl::find(&root).unwrap(),
            python: python::environment(&root, ENVIRONMENT, REQUIREMENTS).unwrap().join("python"),
            binary: binary(&root),
            root,
        };
        Copy { check, _folder: folder }
    }

    fn check(&self, name: &str) -> anyhow::Result<()> {
        if self.check.work.exists() {
            fs::remove_dir_all(&self.check.work).unwrap();
        }
        let mut all = Kustomization::all(&self.check.manifests).unwrap();
        all.retain(|kustomization| kustomization.name() == name);
        assert_eq!(all.len(), 1, "{name}");
        self.check.run(&all)
    }

    /// What is said of this kustomization once this stands in that file instead of that.
    fn with(&self, name: &str, file: &str, (from, to): (&str, &str)) -> String {
        let path = self.check.manifests.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not say {from:?}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let said = match self.check(name) {
            Ok(()) => panic!("{file}: {to:?} is taken"),
            Err(error) => format!("{error:#}"),
        };
        fs::write(&path, text).unwrap();
        said
    }
}

/// Tests lie one folder deeper than the programs that cargo builds.
fn binary(root: &Path) -> PathBuf {
    let beside = ci::binary(root).unwrap();
    let folder = beside.parent().unwrap();
    if folder.ends_with("deps") { folder.with_file_name("taxisvc") } else { beside }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[test]
#[ignore = "wants Python packages and kubectl"]
fn a_planted_fault_is_found() {
    let copy = Copy::new();
    for name in ["single", "dev", "prod", "dev+istio", "prod+ambient"] {
        copy.check(name).unwrap();
    }
    let check = |name: &str, file: &str, change: (&str, &str), expected: &str| {
        let said = copy.with(name, file, change);
        assert!(said.contains(expected), "{file}: {change:?}: {said}");
    };
    // What the schemas find: in a resource, in a patch of the base, and in a patch of an overlay.
    let schemas = "what the schemas say";
    check("dev", "base/call.yaml", ("containerPort: 8082", "containerport: 8082"), schemas);
    check("prod", "base/every-deployment.yaml", ("timeoutSeconds: 5", "timeoutSecond: 5"), schemas);
    check("dev", "overlays/dev/few.yaml", ("maxReplicas: 3", "maxReplicas: three"), schemas);
    check("single", "overlays/single/taxisvc.yaml", ("accessModes:", "accessMode:"), schemas);
    // What Kustomize finds.
    check("prod", "overlays/prod/kustomization.yaml", ("images:", "image:"), "cannot be rendered");
    // What only the house knows.
    check("dev", "base/gateway.yaml", ("image: taxisvc", "image: taxi"), "more than one image");
    check(
        "dev",
        "base/call.yaml",
        ("spec:\n  selector", "spec:\n  replicas: 2\n  selector"),
        "`replicas` beside",
    );
    check("dev", "base/every-deployment.yaml", ("PeriodSeconds: 30", "PeriodSeconds: 25"), "is given 25 s");
    check("dev", "base/every-deployment.yaml", ("drop: [ALL]", "drop: [KILL]"), "capabilities/drop must be");
    check("dev+istio", "components/istio/sidecar.yaml", ("\"15s\"", "\"5s\""), "its sidecar may be gone");
    check(
        "dev",
        "base/view.yaml",
        ("key: TAXISVC_POSTGRES_VIEW", "key: TAXISVC_VIEW"),
        "is not in docs/kubernetes.md",
    );
    check(
        "dev",
        "overlays/dev/secret.env",
        ("TAXISVC_POSTGRES_VIEW", "TAXISVC_VIEW"),
        "has no TAXISVC_POSTGRES_VIEW",
    );
    check(
        "prod",
        "overlays/prod/taxisvc.toml",
        ("replication = 3", "replicas = 3"),
        "unknown field `replicas`",
    );
    check("dev", "overlays/dev/taxisvc.toml", ("call-pods:8082", "call:8082"), "is no headless Service");
    check("dev", "base/drive.yaml", ("targetPort: http", "targetPort: web"), "which nobody has");
    check(
        "prod",
        "overlays/prod/many.yaml",
        ("maxReplicas: 12", "maxReplicas: 13"),
        "more replicas than partitions",
    );
}

#[test]
#[ignore = "wants Python packages and kubectl"]
fn a_network_policy_of_nobody_is_found() {
    let copy = Copy::new();
    let check = |name: &str, file: &str, change: (&str, &str), expected: &str| {
        let said = copy.with(name, file, change);
        assert!(said.contains(expected), "{file}: {change:?}: {said}");
    };
    let base = "base/network.yaml";
    // Whom it is about, one of several, whom it lets in, and where it lets go.
    check(
        "dev",
        base,
        ("name: gateway\n  policyTypes", "name: gate\n  policyTypes"),
        "\"gate\"} is on no pod",
    );
    check("dev", base, ("drive, view]\n      ports", "drive, veiw]\n      ports"), "\"veiw\"} is on no pod");
    check("dev", base, ("name: gateway\n      ports", "name: gate\n      ports"), "\"gate\"} is on no pod");
    check("dev", base, ("operator: In", "operator: NotIn"), "is not understood here");
    check("dev", base, ("port: http", "port: web"), "has no port \"web\"");
    check("dev", base, ("port: 8082\n          endPort: 8085", "port: 9082"), "has no port 9082");
    check("dev", "overlays/dev/clients.yaml", ("port: http", "port: web"), "has no port \"web\"");
    check("prod+ambient", "components/ambient/entry.yaml", ("name: taxisvc", "name: entry"), "is on no pod");
}

/// Kustomize says nothing then, and nothing is patched.
#[test]
#[ignore = "wants Python packages and kubectl"]
fn a_patch_of_nothing_is_found() {
    let copy = Copy::new();
    copy.check.all().unwrap();
    // There is one of this kind and name, but in another overlay.
    let path = copy.check.manifests.join("overlays/dev/kustomization.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let from = "kind: HorizontalPodAutoscaler\n      name: call";
    assert!(text.contains(from));
    fs::write(&path, text.replacen(from, "kind: ScaledObject\n      name: call", 1)).unwrap();
    let said = format!("{:#}", copy.check.all().unwrap_err());
    assert!(said.contains("targets.py"), "{said}");
}
