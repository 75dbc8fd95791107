//! Tries the manifests of `deploy/kubernetes` on a real cluster, under load, and prints what was done and seen.

mod client;
mod cluster;
mod definitions;
mod overlay;
mod riders;
mod settings;
mod steps;
mod table;

use crate::image::{Image, Version};
use anyhow::Context;
use client::Client;
use cluster::Cluster;
use std::fs;
use std::path::{Path, PathBuf};
use steps::Stage;
use table::Table;

/// That of the overlays.
const NAMESPACE: &str = "taxisvc";
/// Where nobody belongs to a mesh.
const OUTSIDE: &str = "outside";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How a cluster of KUBECONFIG is given an image's archive, which is added to it, such as `kind load image-archive`;
    /// without it the images taxisvc:this, taxisvc:next and taxisvc:this-tools have to be there
    #[arg(long, value_name = "COMMAND")]
    load: Option<String>,
    /// The mesh instead: Istio is installed, and overlay istio is tried
    #[arg(long)]
    mesh: bool,
    /// Leaves the cluster as it is at the end, to look at it
    #[arg(long)]
    keep: bool,
    /// On the cluster and with the images that a run with --keep has left
    #[arg(long)]
    again: bool,
    /// A cluster of KUBECONFIG; without it the node beside this repository
    #[arg(long, env = "KUBECONFIG", hide = true)]
    kubeconfig: Option<PathBuf>,
}

pub(crate) fn run(repository: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let cluster = Cluster::find(repository, arguments.kubeconfig.is_some(), arguments.load.clone())?;
    let mut table = Table::new();
    let images = if arguments.again { Images::named() } else { Images::make(repository, &mut table)? };
    let tried = try_on(repository, (&cluster, &images), (arguments, &mut table));
    table.print();
    if !arguments.keep {
        cluster.stop()?;
    }
    tried
}

/// What is put on the cluster.
struct Images {
    this: Image,
    next: Image,
    tools: Image,
    archives: Vec<PathBuf>,
}

impl Images {
    fn named() -> Self {
        let image = |tag: &str, version| Image { tag: tag.to_owned(), version };
        Self {
            this: image("this", Version::This),
            next: image("next", Version::Next),
            tools: image("this-tools", Version::This),
            archives: Vec::new(),
        }
    }

    fn make(repository: &Path, table: &mut Table) -> anyhow::Result<Self> {
        let mut images = Self::named();
        table.row("images of this version, of the next, and one to look from", || {
            let next = images.next.make(repository)?;
            let this = images.this.make(repository)?;
            let (image, tools) = images.this.with_tools(repository, &client::PACKAGES)?;
            let size = fs::metadata(&this).context("it was made")?.len();
            images.tools = image;
            images.archives = vec![next, this, tools];
            Ok(format!("{:.1} MB, with a bill of its parts", size as f64 / 1e6))
        })?;
        Ok(images)
    }
}

fn try_on(
    repository: &Path,
    (cluster, images): (&Cluster, &Images),
    (arguments, table): (&Arguments, &mut Table),
) -> anyhow::Result<()> {
    table.row("a cluster", || {
        if !arguments.again {
            cluster.start()?;
        }
        images.archives.iter().try_for_each(|archive| cluster.load(archive))?;
        let version = cluster.ask(&["version", "--output", "yaml"])?;
        let server = version.lines().skip_while(|line| !line.starts_with("serverVersion"));
        let version = server.filter_map(|line| line.trim().strip_prefix("gitVersion: ")).next();
        Ok(format!("Kubernetes {}", version.unwrap_or_default()))
    })?;
    if arguments.mesh {
        in_a_mesh(repository, (cluster, images), table)
    } else {
        everything(repository, (cluster, images), table)
    }
}

fn everything(
    repository: &Path,
    (cluster, images): (&Cluster, &Images),
    table: &mut Table,
) -> anyhow::Result<()> {
    let (this, next) = (&images.this, &images.next);
    table.row("every overlay, applied for show with strict validation by the server", || {
        let scratch = repository.join("target/kubernetes");
        fs::create_dir_all(&scratch).context("cannot make a directory")?;
        let definitions = definitions::apply(cluster, &scratch)?;
        cluster.make_namespace(NAMESPACE)?;
        let mut taken = Vec::new();
        for name in overlay::all(repository)? {
            let objects =
                overlay::is_taken(cluster, repository, &name).with_context(|| format!("overlay {name}"))?;
            taken.push(format!("{name} {objects}"));
        }
        Ok(format!("objects: {}; with {definitions} definitions of others", taken.join(", ")))
    })?;
    overlay::apply(cluster, repository, ("dev", this))?;
    let client = Client::start(cluster, (NAMESPACE, &images.tools.name()))?;
    let stage = Stage { cluster, namespace: NAMESPACE, client: &client };
    table.row("overlay dev", || steps::come_up(&stage))?;
    table.row("the original's commands, by the gateway's Service", || {
        steps::the_originals_commands(&client)
    })?;
    table.row("`siege -c20 -t40S -v http://call:8080/calls`", || steps::scale_by_load(&stage))?;
    table.row("a pod more of each service, and one fewer, under load", || steps::add_and_remove(&stage))?;
    table.row("each service to the next version, under load", || steps::roll(&stage, (next, "forward")))?;
    table.row("each service back, under load", || steps::roll(&stage, (this, "back")))?;
    table.row("and forward again", || steps::roll(&stage, (next, "again")))?;
    table.row("each service told to write events of the next version", || {
        steps::roll_with(&stage, ("REHEARSAL_WRITES_NEXT=1", "next-events"))
    })?;
    table.row("and not to any more", || {
        steps::roll_with(&stage, ("REHEARSAL_WRITES_NEXT-", "first-events"))
    })?;
    table.row("every pod evicted, under load", || steps::evict(&stage))?;
    table.row("the log level, by the ConfigMap", || settings::change(&stage))?;
    if cluster.is_own() {
        table.row("PostgreSQL is gone, and is back", || steps::lose_the_database(&stage))?;
    }
    table.row("audit", || stage.audit())?;
    client.end()?;
    overlay::remove(cluster, repository, ("dev", this))?;
    overlay::apply(cluster, repository, ("single", this))?;
    cluster.ask(&["rollout", "status", "statefulset/taxisvc", "--timeout=120s", "--namespace", NAMESPACE])?;
    let client = Client::start(cluster, (NAMESPACE, &images.tools.name()))?;
    let stage = Stage { cluster, namespace: NAMESPACE, client: &client };
    table.row("overlay single: its pod deleted, under load", || steps::lose_the_only_pod(&stage))
}

fn in_a_mesh(
    repository: &Path,
    (cluster, images): (&Cluster, &Images),
    table: &mut Table,
) -> anyhow::Result<()> {
    table.row("Istio", || {
        cluster.install_mesh()?;
        let image = "jsonpath={.spec.template.spec.containers[0].image}";
        cluster.ask(&["get", "deployment", "istiod", "--namespace", "istio-system", "--output", image])
    })?;
    overlay::apply(cluster, repository, ("istio", &images.this))?;
    let client = Client::start(cluster, (NAMESPACE, &images.tools.name()))?;
    let stage = Stage { cluster, namespace: NAMESPACE, client: &client };
    table.row("overlay istio: every pod with its sidecar", || {
        let seen = steps::come_up(&stage)?;
        let without =
            steps::SERVICES.iter().map(|service| stage.pods(service)).collect::<Result<Vec<_>, _>>()?;
        anyhow::ensure!(without.iter().flatten().all(|pod| pod.containers() == 2), "{seen}");
        Ok(seen)
    })?;
    table.row("the original's commands, by the gateway's Service", || {
        steps::the_originals_commands(&client)
    })?;
    table.row("a plain request from outside the mesh", || refuse_what_is_plain(&stage, images))?;
    table.row("call to the next version, under load", || steps::roll_one(&stage, ("call", &images.next)))?;
    table.row("audit", || stage.audit())
}

fn refuse_what_is_plain(stage: &Stage<'_>, images: &Images) -> anyhow::Result<String> {
    stage.cluster.make_namespace(OUTSIDE)?;
    let outside = Client::start(stage.cluster, (OUTSIDE, &images.tools.name()))?;
    let url = format!("http://call.{NAMESPACE}:8080/calls");
    let inside = stage.client.status(&url)?;
    anyhow::ensure!(inside == 200, "inside the mesh it was answered {inside}");
    let plain = outside
        .run(&format!("curl -sS --max-time 10 -o /dev/null -w '%{{http_code}}' {url} 2>&1 || true"))?;
    anyhow::ensure!(plain.ends_with("000"), "outside the mesh it was answered: {plain}");
    let gateway = outside.status(&format!("http://gateway.{NAMESPACE}:8088/calls"))?;
    let said = plain.lines().next().unwrap_or_default().to_owned();
    outside.end()?;
    Ok(format!("inside 200; outside refused ({said}), and by the gateway's port {gateway}"))
}
