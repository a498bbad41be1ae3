//! A Valkey or Redis server for a single test.

use redis::{Client, Connection};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};
use tests::project;

const PROGRAMS: [&str; 2] = ["valkey-server", "redis-server"];

/// The directory where `localstack/up` unpacks Debian's server if none is installed.
const UNPACKED: &str = ".souk/redis";

/// The maximum time until a server answers.
const PATIENCE: Duration = Duration::from_secs(10);

static SERVERS: AtomicU32 = AtomicU32::new(0);

/// A server that is stopped on drop. If `CACHE_TEST_URL` is set, the running server at that URL is used instead.
pub struct Server {
    url: String,
    own: Option<(Child, PathBuf)>,
}

impl Server {
    /// Starts a server. Panics if there is none, so that the tests are never skipped silently.
    pub fn start() -> Self {
        if let Ok(url) = env::var("CACHE_TEST_URL") {
            return Self { url, own: None };
        }
        let program = program().expect(
            "no valkey-server or redis-server: install one, run localstack/up once, or set CACHE_TEST_URL",
        );
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("souk-cache-{}-{number}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let socket = directory.join("socket");
        let mut command = Command::new(&program);
        // Without a configuration file only these options apply: no persistence and no TCP port.
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"]).arg(&directory);
        command.arg("--unixsocket").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        if program.starts_with(project::root()) {
            command.env("LD_LIBRARY_PATH", libraries(&project::root().join(UNPACKED)));
        }
        let process = command.spawn().unwrap();
        Self { url: format!("redis+unix://{}", socket.display()), own: Some((process, directory)) }
    }

    /// Connects to the server, waiting until it answers.
    pub fn connect(&mut self) -> Connection {
        let client = Client::open(self.url.as_str()).unwrap();
        let began = Instant::now();
        loop {
            let error = match client.get_connection() {
                Ok(connection) => return connection,
                Err(error) => error,
            };
            let ended = self.own.as_mut().and_then(|(process, _)| process.try_wait().unwrap());
            assert!(ended.is_none(), "the server ended: {ended:?}");
            assert!(began.elapsed() < PATIENCE, "{}: {error}", self.url);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((process, directory)) = &mut self.own {
            let _ = process.kill();
            let _ = process.wait();
            let _ = fs::remove_dir_all(directory);
        }
    }
}

fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = PROGRAMS.iter().flat_map(|name| env::split_paths(&path).map(move |part| part.join(name)));
    let unpacked = project::root().join(UNPACKED).join("usr/bin/redis-server");
    installed.chain([unpacked]).find(|program| program.is_file())
}

/// The directories below this one that contain shared libraries, joined by colons.
fn libraries(directory: &Path) -> String {
    let entries: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    let is_library = |path: &PathBuf| path.to_string_lossy().contains(".so.");
    let here = entries.iter().any(is_library).then(|| directory.display().to_string());
    let below = entries.iter().filter(|path| path.is_dir()).map(|path| libraries(path));
    here.into_iter().chain(below).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":")
}
