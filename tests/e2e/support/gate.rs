//! A gate between doorward and its backend: it passes every byte until it is told to fail in one of the ways in which a backend does.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use super::run;

/// What becomes of new connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum New {
    /// They reach the backend.
    Pass,
    /// They are accepted and closed, as by a server that has too many.
    Close,
    /// Nobody listens.
    Refuse,
}

/// The gate; it ends with its value.
pub(crate) struct Gate {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    new: New,
    /// Both sides of every connection, in the order of their coming.
    open: Vec<[TcpStream; 2]>,
}

impl Gate {
    /// Opens a gate before the backend on this port.
    pub(crate) fn before(backend: u16) -> Self {
        let (listener, port) = loop {
            let port = run::free_port();
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
                break (listener, port);
            }
        };
        let state = Arc::new(Mutex::new(State { new: New::Pass, open: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, backend, &shared));
        Self { port, state }
    }

    /// Says what becomes of new connections from now on. What was refused once stays so.
    pub(crate) fn set_new(&self, new: New) {
        lock(&self.state).new = new;
        if new == New::Refuse {
            // The thread that waits for connections is woken by one and goes; then nobody listens.
            while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {}
        }
    }

    /// How many connections came so far.
    pub(crate) fn count(&self) -> usize {
        lock(&self.state).open.len()
    }

    /// Cuts every connection from the one with this number (from 0, in the order of their coming) on.
    pub(crate) fn cut_from(&self, number: usize) {
        for stream in lock(&self.state).open.iter().skip(number).flatten() {
            // Whatever is closed already is as it should be.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.set_new(New::Refuse);
        self.cut_from(0);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no one panics here")
}

fn accept(listener: &TcpListener, backend: u16, state: &Mutex<State>) {
    for client in listener.incoming() {
        let Ok(client) = client else { return };
        // A decision and what follows from it are one: who changes the way of the gate sees no connection of the old way later.
        let mut state = lock(state);
        match state.new {
            New::Pass => {}
            New::Close => continue,
            New::Refuse => return,
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", backend)) else { continue };
        if let Ok(pair) = pass(client, server) {
            state.open.push(pair);
        }
    }
}

/// Copies both ways until one side ends, and ends the other then.
pub(crate) fn pass(client: TcpStream, server: TcpStream) -> io::Result<[TcpStream; 2]> {
    let pair = [client.try_clone()?, server.try_clone()?];
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        thread::spawn(move || {
            let _ = io::copy(&mut &from, &mut &to);
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
    Ok(pair)
}
