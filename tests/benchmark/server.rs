//! A listener for the benchmark's own servers.

use std::{
    io::Result,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// A listener on a free port of 127.0.0.1, with a thread for each connection.
pub struct Server {
    /// The port that it listens on.
    pub port: u16,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Listens until this is dropped; connections stay open until their clients close them.
    pub fn start(serve: impl Fn(TcpStream) -> Result<()> + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        let stopped = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&stopped);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let serve = serve.clone();
                // An error of a connection is ignored here: its client reports it.
                thread::spawn(move || {
                    let stream = stream?;
                    stream.set_nodelay(true)?;
                    serve(stream)
                });
            }
        });
        Self { port, stopped }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Makes the listener return from `accept`, so that it notices the stop.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}
