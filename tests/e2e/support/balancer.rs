//! A TCP balancer: it passes each connection to the next of several servers, and may say something before the client does.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{gate, run};

/// The balancer; it takes nobody any more when its value goes.
pub(crate) struct Balancer {
    pub(crate) port: u16,
    closed: Arc<AtomicBool>,
}

impl Balancer {
    /// Balances between the servers on these ports. `greeting` makes what is sent to the server before the client's own bytes, from the
    /// client's address and the balancer's.
    pub(crate) fn before(ports: &[u16], greeting: fn(SocketAddr, SocketAddr) -> Vec<u8>) -> Self {
        let (listener, port) = loop {
            let port = run::free_port();
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
                break (listener, port);
            }
        };
        let closed = Arc::new(AtomicBool::new(false));
        let (seen, ports) = (Arc::clone(&closed), ports.to_vec());
        thread::spawn(move || {
            for (client, port) in listener.incoming().zip(ports.iter().cycle()) {
                if seen.load(Ordering::Acquire) {
                    return;
                }
                let Ok(client) = client else { continue };
                let _ = join(client, *port, greeting);
            }
        });
        Self { port, closed }
    }
}

fn join(client: TcpStream, port: u16, greeting: fn(SocketAddr, SocketAddr) -> Vec<u8>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    server.write_all(&greeting(client.peer_addr()?, client.local_addr()?))?;
    gate::pass(client, server).map(|_| ())
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // The thread that waits for connections is woken by one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
