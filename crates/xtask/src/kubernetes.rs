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
use anyhow::{Context, bail, ensure};
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
    /// The cluster of KUBECONFIG that this context names is tried, and is left to its owner as it was: without the
    /// namespaces `taxisvc` and `outside`, which must not be there. Without a context it is a node made beside this repository
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// How that cluster is given an image's archive, which is added to it, such as `kind load image-archive`; without it the
    /// images taxisvc:this, taxisvc:next and taxisvc:this-tools have to be there
    #[arg(long, value_name = "COMMAND", requires = "context")]
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
    #[arg(long, env = "KUBECONFIG", hide = true)]
    kubeconfig: Option<PathBuf>,
}

pub(crate) fn run(repository: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let cluster = match (&arguments.context, &arguments.kubeconfig) {
        (Some(context), kubeconfig) => {
            Cluster::given(context, kubeconfig.as_deref(), arguments.load.as_deref())
        }
        (None, Some(_)) => {
            bail!("KUBECONFIG is set: name the cluster that is to be tried by --context, or unset it")
        }
        (None, None) => Cluster::own(repository)?,
    };
    let mut table = Table::new();
    let images = if arguments.again { Images::named() } else { Images::make(repository, &mut table)? };
    let tried = try_on(repository, (&cluster, &images), (arguments, &mut table));
    table.print();
    if !arguments.keep {
        cluster.stop(&[NAMESPACE, OUTSIDE])?;
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
            cluster.expect_nothing_of_ours(&[NAMESPACE, OUTSIDE])?;
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
        take(repository, cluster)
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

/// Somebody's cluster knows what it knows; ours is told what Istio, KEDA and others have.
fn take(repository: &Path, cluster: &Cluster) -> anyhow::Result<String> {
    let scratch = repository.join("target/kubernetes");
    fs::create_dir_all(&scratch).context("cannot make a directory")?;
    let definitions = if cluster.is_own() { definitions::apply(cluster, &scratch)? } else { 0 };
    cluster.make_namespace(NAMESPACE)?;
    let mut taken = Vec::new();
    for name in overlay::all(repository)? {
        match overlay::is_taken(cluster, repository, &name) {
            Ok(objects) => taken.push(format!("{name} {objects}")),
            Err(error) if !cluster.is_own() && format!("{error:#}").contains("no matches for kind") => {
                taken.push(format!("{name} wants what is not there"));
            }
            Err(error) => return Err(error.context(format!("overlay {name}"))),
        }
    }
    Ok(format!("objects: {}; with {definitions} definitions of others", taken.join(", ")))
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
        ensure!(without.iter().flatten().all(|pod| pod.containers() == 2), "{seen}");
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
    ensure!(inside == 200, "inside the mesh it was answered {inside}");
    let gateway = outside.status(&format!("http://gateway.{NAMESPACE}:8088/calls"))?;
    ensure!(gateway == 200, "from outside the gateway's port was answered {gateway}");
    // Connected, and then turned away: what is not let through by a policy, or not there, ends otherwise.
    let plain = outside.run(&format!("curl -sS --max-time 10 -o /dev/null {url} 2>&1; echo \"exit $?\""))?;
    ensure!(plain.ends_with("exit 56") || plain.ends_with("exit 52"), "from outside the mesh: {plain}");
    let said = plain.lines().next().unwrap_or_default().to_owned();
    outside.end()?;
    Ok(format!("inside the mesh 200; outside turned away ({said}), and by the gateway's port {gateway}"))
}
