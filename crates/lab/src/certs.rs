//! Certificates made for a test by the `openssl` program: an authority, and what it signs.
//!
//! Keys are P-256, because they are made at once. The dates are real: whoever checks them uses
//! the clock of the system.

use crate::child::run;
use crate::{LabError, Result};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority, with its files in a directory of its own. A second one is a wrong authority.
#[derive(Debug)]
pub struct Certs {
    dir: PathBuf,
}

/// A certificate and its key, as files in PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Both in one file, as HAProxy's `crt` wants them.
    pub bundle: PathBuf,
}

/// What a certificate says.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// DNS names and addresses that it is for.
    pub names: &'a [&'a str],
    /// Not valid before, as date(1) reads it: `-1 day`.
    pub from: &'a str,
    /// Not valid after: `+30 days`.
    pub until: &'a str,
    /// For a client rather than a server.
    pub client: bool,
}

impl Certs {
    /// Makes the authority in a new directory `dir/NAME`. Its certificate has the subject `NAME`.
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).map_err(LabError::io(dir.display().to_string()))?;
        let certs = Self { dir };
        // The options of `openssl ca` that have no flag (ca(1), CONFIGURATION FILE OPTIONS).
        certs.write("index", "")?;
        certs.write(
            "ca.cnf",
            "[ca]\ndefault_ca = lab\n[lab]\ndatabase = index\nnew_certs_dir = .\n\
             certificate = ca.pem\nprivate_key = ca.key\nrand_serial = yes\ndefault_md = sha256\n\
             unique_subject = no\npolicy = any\n[any]\ncommonName = supplied\n",
        )?;
        let subject = format!("/CN={name}");
        certs.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "3650",
            "-subj",
            &subject,
        ])?;
        Ok(certs)
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A server's certificate that is in order for these names, for 30 days.
    pub fn server(&self, file: &str, names: &[&str]) -> Result<Pair> {
        self.issue(file, Request { names, from: "-1 day", until: "+30 days", client: false })
    }

    /// One that is in order, but not for long: `expires("soon", names, 5)`. The last hour of the
    /// last day is not over yet, so that whole days count as that many.
    pub fn expires(&self, file: &str, names: &[&str], days: u32) -> Result<Pair> {
        let until = format!("+{days} days +1 hour");
        self.issue(file, Request { names, from: "-1 day", until: &until, client: false })
    }

    /// One that was in order until yesterday.
    pub fn expired(&self, file: &str, names: &[&str]) -> Result<Pair> {
        self.issue(file, Request { names, from: "-9 days", until: "-1 day", client: false })
    }

    /// A client's certificate; its subject is the file's name.
    pub fn client(&self, file: &str) -> Result<Pair> {
        self.issue(file, Request { names: &[], from: "-1 day", until: "+30 days", client: true })
    }

    /// Makes a key and a certificate for it: `FILE.pem`, `FILE.key`, `FILE.bundle`. The subject
    /// is the first name, or the file's.
    pub fn issue(&self, file: &str, request: Request<'_>) -> Result<Pair> {
        let name = |ending: &str| format!("{file}.{ending}");
        let subject = format!("/CN={}", request.names.first().unwrap_or(&file));
        let usage = if request.client { "clientAuth" } else { "serverAuth" };
        let mut extensions = format!("basicConstraints = CA:FALSE\nextendedKeyUsage = {usage}\n");
        if !request.names.is_empty() {
            let names = request.names.iter().map(|name| match name.parse::<IpAddr>() {
                Ok(address) => format!("IP:{address}"),
                Err(_) => format!("DNS:{name}"),
            });
            let names: Vec<String> = names.collect();
            extensions.push_str(&format!("subjectAltName = {}\n", names.join(",")));
        }
        self.write(&name("ext"), &extensions)?;
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &name("key"),
            "-out",
            &name("csr"),
            "-subj",
            &subject,
        ])?;
        self.openssl(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            "ca.cnf",
            "-in",
            &name("csr"),
            "-out",
            &name("pem"),
            "-extfile",
            &name("ext"),
            "-startdate",
            &date(request.from)?,
            "-enddate",
            &date(request.until)?,
        ])?;
        let both = format!("{}{}", self.read(&name("pem"))?, self.read(&name("key"))?);
        self.write(&name("bundle"), &both)?;
        let path = |ending: &str| self.dir.join(name(ending));
        Ok(Pair { cert: path("pem"), key: path("key"), bundle: path("bundle") })
    }

    fn openssl(&self, args: &[&str]) -> Result<String> {
        run(Command::new("openssl").args(args).current_dir(&self.dir))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        std::fs::write(self.dir.join(name), text).map_err(LabError::io(name))
    }

    fn read(&self, name: &str) -> Result<String> {
        std::fs::read_to_string(self.dir.join(name)).map_err(LabError::io(name))
    }
}

/// A moment as `openssl ca` reads it. The reckoning is left to date(1).
fn date(text: &str) -> Result<String> {
    let printed = run(Command::new("date").args(["-u", "-d", text, "+%Y%m%d%H%M%SZ"]))?;
    Ok(printed.trim().to_owned())
}
