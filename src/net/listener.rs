//! The addresses that doorward listens on: `net.bindIp`, `net.port`, `net.ipv6` and `net.unixDomainSocket`, as mongod reads them.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::stream::Transport;
use crate::config::settings::{Listen, Net};
use crate::session::ClientAddress;

/// The idle time after which a silent client is probed, as mongod caps it.
const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(120);

/// An address that could not be bound: the process ends with exit status 48.
#[derive(Debug, thiserror::Error)]
#[error("can not listen on {address}: {source}")]
pub struct BindError {
    address: String,
    source: io::Error,
}

/// One bound address.
#[derive(Debug)]
pub enum Listener {
    /// IPv4 or IPv6.
    Tcp(TcpListener),
    /// A unix socket; its file is removed when this goes.
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket, removed with the listener.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A client's socket that no runtime waits for yet.
#[derive(Debug)]
pub enum Accepted {
    /// IPv4 or IPv6.
    Tcp(std::net::TcpStream),
    /// A unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Waited for by the current runtime from now on.
    ///
    /// # Errors
    /// The operating system can not watch it.
    pub fn into_transport(self) -> io::Result<Transport> {
        Ok(match self {
            Self::Tcp(stream) => Transport::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Transport::Unix(UnixStream::from_std(stream)?),
        })
    }
}

impl Listener {
    /// Takes the next client.
    ///
    /// # Errors
    /// Those of `accept`; the caller waits a little and goes on.
    pub async fn accept(&self) -> io::Result<(Accepted, ClientAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                socket2::SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
                Ok((Accepted::Tcp(stream.into_std()?), ClientAddress::Tcp(address)))
            }
            Self::Unix(listener, _) => Ok((Accepted::Unix(listener.accept().await?.0.into_std()?), ClientAddress::Unix)),
        }
    }

    /// The address as log lines show it.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string()),
            Self::Unix(_, file) => file.0.display().to_string(),
        }
    }
}

/// Binds everything that a front listens on; `net` says the rest.
///
/// # Errors
/// The first address that can not be bound; those bound before are let go.
pub fn bind(net: &Net, listen: &Listen) -> Result<Vec<Listener>, BindError> {
    let mut listeners = Vec::new();
    let (hosts, port) = match listen {
        Listen::Net => (net.bind_ip.as_slice(), net.port),
        Listen::Port(port) => (net.bind_ip.as_slice(), *port),
        Listen::Address(address) => (std::slice::from_ref(&address.host), address.port),
    };
    for host in hosts {
        if !host.contains('/') {
            for address in resolve(host, port, net.ipv6 || host.contains(':'))? {
                listeners.push(bind_tcp(address, net.listen_backlog)?);
            }
        } else if *listen == Listen::Net {
            listeners.push(bind_unix(Path::new(host), 0o700, net.listen_backlog)?);
        }
    }
    if *listen != Listen::Net {
        return Ok(listeners);
    }
    if let Some(unix) = &net.unix_domain_socket {
        let path = unix.path_prefix.join(format!("mongodb-{}.sock", net.port));
        listeners.push(bind_unix(&path, unix.file_permissions, net.listen_backlog)?);
    }
    Ok(listeners)
}

fn resolve(host: &str, port: u16, ipv6: bool) -> Result<Vec<SocketAddr>, BindError> {
    let failed = |source| BindError { address: format!("{host}:{port}"), source };
    let host = if host == "*" { "0.0.0.0" } else { host.trim_start_matches('[').trim_end_matches(']') };
    let mut addresses: Vec<_> =
        (host, port).to_socket_addrs().map_err(failed)?.filter(|address| ipv6 || address.is_ipv4()).collect();
    addresses.dedup();
    if addresses.is_empty() {
        let text = "it has only IPv6 addresses; set net.ipv6: true";
        return Err(failed(io::Error::new(io::ErrorKind::AddrNotAvailable, text)));
    }
    Ok(addresses)
}

fn bind_tcp(address: SocketAddr, backlog: u32) -> Result<Listener, BindError> {
    let open = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // So that 0.0.0.0 and :: can both be bound, as mongod does with net.ipv6.
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket.into())
    };
    open().map(Listener::Tcp).map_err(|source| BindError { address: address.to_string(), source })
}

fn bind_unix(path: &Path, permissions: u32, backlog: u32) -> Result<Listener, BindError> {
    let open = || -> io::Result<Listener> {
        remove_stale_socket(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&socket2::SockAddr::unix(path)?)?;
        let file = SocketFile(path.to_owned());
        fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        Ok(Listener::Unix(UnixListener::from_std(socket.into())?, file))
    };
    open().map_err(|source| BindError { address: path.display().to_string(), source })
}

/// Removes the socket file of a process that is gone. A file that is no socket, or a socket that somebody serves, stays.
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file exists and is not a socket"));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process serves this socket"));
    }
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::UnixDomainSocket;

    fn net(bind_ip: &[&str]) -> Net {
        Net {
            port: 0,
            bind_ip: bind_ip.iter().map(|&text| text.to_owned()).collect(),
            ipv6: true,
            max_incoming_connections: 10,
            unix_domain_socket: None,
            compressors: Vec::new(),
            listen_backlog: 128,
        }
    }

    #[tokio::test]
    async fn several_addresses_of_both_families_are_bound() {
        let listeners = bind(&net(&["127.0.0.1", "::1"]), &Listen::Net).unwrap();
        let addresses: Vec<_> = listeners.iter().map(Listener::address).collect();
        assert!(addresses[0].starts_with("127.0.0.1:"), "{addresses:?}");
        assert!(addresses[1].starts_with("[::1]:"), "{addresses:?}");
    }

    #[tokio::test]
    async fn a_bound_address_is_refused() {
        let first = bind(&net(&["127.0.0.1"]), &Listen::Net).unwrap();
        let Listener::Tcp(listener) = &first[0] else { panic!() };
        let mut second = net(&["127.0.0.1"]);
        second.port = listener.local_addr().unwrap().port();
        let error = bind(&second, &Listen::Net).unwrap_err();
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }

    #[tokio::test]
    async fn a_unix_socket_has_mongods_name_and_permissions_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut net = net(&[]);
        net.port = 27999;
        net.unix_domain_socket = Some(UnixDomainSocket { path_prefix: folder.path().to_owned(), file_permissions: 0o700 });
        let path = folder.path().join("mongodb-27999.sock");

        // What a killed process leaves behind does not stand in the way.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listeners = bind(&net, &Listen::Net).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(bind(&net, &Listen::Net).unwrap_err().to_string().contains("another process"));
        drop(listeners);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert!(bind_unix(&path, 0o700, 1).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }
}
