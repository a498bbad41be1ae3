//! The cache server, if the machine has one.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Variables with the path of the server's program, and with the folder of its libraries if they are not installed.
/// tests/bench sets both.
const PROGRAM: &str = "SOUK_CACHE_SERVER";
const LIBRARIES: &str = "SOUK_CACHE_LIBRARIES";

/// A server on a port of 127.0.0.1, without persistence.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts the server if the environment names its program.
    pub fn start() -> Option<Self> {
        let program = std::env::var(PROGRAM).ok().filter(|program| !program.is_empty())?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("a port").port();
        drop(free);
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
        if let Some(libraries) = std::env::var(LIBRARIES).ok().filter(|libraries| !libraries.is_empty()) {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let child = command.arg(port.to_string()).stdout(Stdio::null()).spawn().expect("the cache starts");
        let server = Self { child, port };
        for _ in 0..200 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(server);
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the cache does not listen")
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Deletes all entries.
    pub fn empty(&self) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the cache listens");
        stream.write_all(b"FLUSHALL\r\n").expect("the cache reads");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("the cache answers");
        assert_eq!(&answer, b"+OK\r\n");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
