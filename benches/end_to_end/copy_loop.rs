//! T: TLS in front of the backend with tokio and rustls and nothing else, the least that an ordinary proxy in Rust spends.
//!
//! A process of its own: the bench starts itself with [`WORD`]. It has doorward's cryptography, as many workers, and but for the size of
//! its buffers what tokio and rustls do when they are not told anything.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The bench is T when its first argument is this; then come where it listens, what is behind it, and the folder of certificates.
pub(crate) const WORD: &str = "copy-loop";
/// What is moved at once: as much as a TLS record holds. With the half of it, which tokio takes by itself, T would be easier to beat at bulk
/// by a quarter, and nothing else would change.
const BUFFER: usize = 16 * 1024;

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let [listen, upstream, folder] = arguments else { anyhow::bail!("{WORD} LISTEN UPSTREAM FOLDER") };
    let acceptor = TlsAcceptor::from(Arc::new(configuration(Path::new(folder))?));
    let threads = thread::available_parallelism()?.get();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(serve(listen.parse()?, upstream.parse()?, acceptor))
}

fn configuration(folder: &Path) -> Result<ServerConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem"))?)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let server = folder.join("server.pem");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![CertificateDer::from_pem_file(&server)?], PrivateKeyDer::from_pem_file(&server)?)?;
    Ok(config)
}

async fn serve(listen: SocketAddr, upstream: SocketAddr, acceptor: TlsAcceptor) -> Result<()> {
    let listener = TcpListener::bind(listen).await.context("listen")?;
    loop {
        let (client, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        // The end of one connection is no other's.
        tokio::spawn(async move { forward(client, upstream, &acceptor).await.ok() });
    }
}

async fn forward(client: TcpStream, upstream: SocketAddr, acceptor: &TlsAcceptor) -> Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER).await?;
    Ok(())
}
