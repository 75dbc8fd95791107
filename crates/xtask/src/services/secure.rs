//! Listeners of Kafka's that want a password or a certificate, and the settings that lead a service past them.

use super::notes::quoted;
use super::{expect_free, free_port, process};
use anyhow::Context;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

const USER: &str = "taxisvc";
/// Whom brokers and services are vouched for by.
const AUTHORITY: &str = "authority";
/// Vouches for nobody that is believed here.
const STRANGERS: &str = "strangers";
/// Shorter than that the data is thrown away.
const DAYS: &str = "30";

/// How a listener lets somebody in.
struct Way {
    /// As `kafka.security` names it, and the file of settings.
    name: &'static str,
    mechanism: Option<&'static str>,
    /// Whether the broker shows a certificate, and whether it wants to see one.
    certificates: Option<bool>,
}

const WAYS: [Way; 3] = [
    Way { name: "sasl-plaintext", mechanism: Some("PLAIN"), certificates: None },
    Way { name: "sasl-ssl", mechanism: Some("SCRAM-SHA-512"), certificates: Some(false) },
    Way { name: "ssl", mechanism: None, certificates: Some(true) },
];

impl Way {
    /// As Kafka names it.
    fn protocol(&self) -> String {
        self.name.to_uppercase().replace('-', "_")
    }
}

/// A port for each of the ways, and a folder for what is known of them.
pub(super) struct Secure {
    folder: PathBuf,
    ports: [u16; 3],
}

impl Secure {
    pub(super) fn of(folder: PathBuf, ports: [u16; 3]) -> Self {
        Self { folder, ports }
    }

    pub(super) fn draw_ports() -> anyhow::Result<[u16; 3]> {
        Ok([free_port()?, free_port()?, free_port()?])
    }

    pub(super) fn expect_free(&self) -> anyhow::Result<()> {
        self.ports.iter().try_for_each(|port| {
            expect_free((Ipv4Addr::LOCALHOST, *port), "`services down` and `services up --secure`")
        })
    }

    fn ways(&self) -> impl Iterator<Item = (&'static Way, u16)> {
        WAYS.iter().zip(self.ports)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Draws a password and makes certificates, once for the life of the data, and writes the settings for each way.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        if self.file("password").exists() {
            return Ok(());
        }
        let made = fs::create_dir_all(&self.folder);
        let made = made.and_then(|()| fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700)));
        made.context("cannot make a directory for certificates")?;
        for name in [AUTHORITY, STRANGERS] {
            self.make_authority(name)?;
        }
        // The broker's is good for the address that it is reached by, and for no name.
        self.certify("broker", AUTHORITY, "IP:127.0.0.1")?;
        self.certify("service", AUTHORITY, "DNS:service")?;
        self.certify("stranger", STRANGERS, "DNS:service")?;
        let both = [self.file("broker.key"), self.file("broker.pem")].map(fs::read_to_string);
        let [key, certificate] = both;
        let both = key.context("cannot read a key")? + &certificate.context("cannot read a certificate")?;
        fs::write(self.file("broker-both.pem"), both).context("cannot write a certificate")?;
        let mut draw = Command::new("openssl");
        let password = process::ask(draw.args(["rand", "-hex", "16"]))?;
        for (way, port) in self.ways() {
            let path = self.file(&format!("{}.toml", way.name));
            let settings = self.of_a_service(way, port, password.trim());
            fs::write(&path, settings).with_context(|| format!("cannot write {}", path.display()))?;
        }
        // Written last: whoever finds it finds the others too.
        fs::write(self.file("password"), password.trim()).context("cannot write a password")
    }

    fn make_authority(&self, name: &str) -> anyhow::Result<()> {
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", DAYS, "-subj"]);
        make.arg(format!("/CN={name}")).arg("-keyout").arg(self.file(&format!("{name}.key")));
        process::ask(make.arg("-out").arg(self.file(&format!("{name}.pem"))))?;
        Ok(())
    }

    fn certify(&self, name: &str, authority: &str, whom: &str) -> anyhow::Result<()> {
        let file = |end: &str| self.file(&format!("{name}.{end}"));
        let mut request = Command::new("openssl");
        request.args(["req", "-newkey", "rsa:2048", "-nodes", "-subj"]).arg(format!("/CN={name}"));
        process::ask(request.arg("-keyout").arg(file("key")).arg("-out").arg(file("request")))?;
        fs::write(file("names"), format!("subjectAltName={whom}\n")).context("cannot write a file")?;
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", DAYS, "-CAcreateserial", "-in"]).arg(file("request"));
        sign.arg("-CA").arg(self.file(&format!("{authority}.pem")));
        sign.arg("-CAkey").arg(self.file(&format!("{authority}.key")));
        process::ask(sign.arg("-extfile").arg(file("names")).arg("-out").arg(file("pem")))?;
        Ok(())
    }

    /// What `taxisvc --config` is given to come this way.
    fn of_a_service(&self, way: &Way, port: u16, password: &str) -> String {
        let mut text = String::from("[kafka]\n");
        let mut set = |name: &str, value: &str| text += &format!("{name} = {}\n", quoted(value));
        set("brokers", &format!("127.0.0.1:{port}"));
        set("security", way.name);
        if let Some(mechanism) = way.mechanism {
            set("sasl_mechanism", mechanism);
            set("sasl_username", USER);
            set("sasl_password", password);
        }
        let path = |name: &str| self.file(name).display().to_string();
        if let Some(wants) = way.certificates {
            set("ca_file", &path(&format!("{AUTHORITY}.pem")));
            if wants {
                set("certificate_file", &path("service.pem"));
                set("key_file", &path("service.key"));
            }
        }
        text
    }

    /// What follows a listener in the broker's list of them.
    pub(super) fn listeners(&self) -> String {
        let each = self.ways().map(|(way, port)| format!(",{}://127.0.0.1:{port}", way.protocol()));
        each.collect()
    }

    /// What of it stands in the broker's settings beside its listeners.
    pub(super) fn settings(&self) -> anyhow::Result<String> {
        const MODULES: &str = "org.apache.kafka.common.security";
        let password = self.password()?;
        let mut text = String::from("# Those who are let in by a password or a certificate.\n");
        for way in &WAYS {
            let listener = format!("listener.name.{}", way.protocol().to_lowercase());
            match way.mechanism {
                Some("PLAIN") => {
                    text += &format!("{listener}.sasl.enabled.mechanisms=PLAIN\n");
                    text += &format!(
                        "{listener}.plain.sasl.jaas.config={MODULES}.plain.PlainLoginModule required \
                         user_{USER}=\"{password}\";\n"
                    );
                }
                Some(scram) => {
                    text += &format!("{listener}.sasl.enabled.mechanisms={scram}\n");
                    text += &format!(
                        "{listener}.{}.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;\n",
                        scram.to_lowercase()
                    );
                }
                None => {}
            }
            if let Some(wants) = way.certificates {
                let client = if wants { "required" } else { "none" };
                text += &format!("{listener}.ssl.client.auth={client}\n");
                for (store, file) in [("keystore", "broker-both.pem"), ("truststore", "authority.pem")] {
                    text += &format!("{listener}.ssl.{store}.type=PEM\n");
                    text += &format!("{listener}.ssl.{store}.location={}\n", self.file(file).display());
                }
            }
        }
        Ok(text)
    }

    /// What the data has to be made with: passwords of SCRAM are kept in it.
    pub(super) fn credentials(&self) -> anyhow::Result<String> {
        Ok(format!("SCRAM-SHA-512=[name={USER},password={}]", self.password()?))
    }

    fn password(&self) -> anyhow::Result<String> {
        fs::read_to_string(self.file("password")).context("cannot read the password")
    }

    /// Where the settings for each way lie.
    pub(super) fn tell(&self) {
        for (way, port) in self.ways() {
            let settings = self.file(&format!("{}.toml", way.name));
            println!("{:<14} 127.0.0.1:{port}, as {} says", way.name, settings.display());
        }
    }
}
