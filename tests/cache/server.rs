//! A Valkey or Redis server of one test's own.

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

/// Where `localstack/up` puts Debian's server on a machine that has none.
const UNPACKED: &str = ".souk/redis";

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

static SERVERS: AtomicU32 = AtomicU32::new(0);

/// Runs as long as it is held; `CACHE_TEST_URL` names one that runs already.
pub struct Server {
    url: String,
    own: Option<(Child, PathBuf)>,
}

impl Server {
    /// Starts a server, or fails: a cache that cannot be tested is not tested.
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
        // Without a file's name the server reads no configuration but this: nothing on disk, and no port.
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"]).arg(&directory);
        command.arg("--unixsocket").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        if program.starts_with(project::root()) {
            command.env("LD_LIBRARY_PATH", libraries(&project::root().join(UNPACKED)));
        }
        let process = command.spawn().unwrap();
        Self { url: format!("redis+unix://{}", socket.display()), own: Some((process, directory)) }
    }

    /// A connection to it, once it answers.
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

/// The directories of shared libraries below a directory.
fn libraries(directory: &Path) -> String {
    let entries: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    let is_library = |path: &PathBuf| path.to_string_lossy().contains(".so.");
    let here = entries.iter().any(is_library).then(|| directory.display().to_string());
    let below = entries.iter().filter(|path| path.is_dir()).map(|path| libraries(path));
    here.into_iter().chain(below).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":")
}
