//! CPU time and memory of a process, as the kernel reports them.

use std::{fs, thread, time::Duration};

/// A process, by its id.
#[derive(Clone, Copy)]
pub struct Pid(pub u32);

impl Pid {
    /// The CPU time of all its threads, once all of them sleep. It varies much less than wall-clock time, and it is
    /// what Lambda limits to a function's CPU share.
    pub fn cpu_at_rest(self) -> Duration {
        let mut before = None;
        for _ in 0..10_000 {
            let (asleep, nanoseconds) = self.threads();
            if asleep && before == Some(nanoseconds) {
                return Duration::from_nanos(nanoseconds);
            }
            before = Some(nanoseconds);
            thread::sleep(Duration::from_micros(100));
        }
        panic!("the process never rests")
    }

    /// Whether all threads sleep, and the sum of their CPU times in nanoseconds.
    fn threads(self) -> (bool, u64) {
        let (mut asleep, mut total) = (true, 0);
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0)).expect("the process runs");
        for task in tasks.filter_map(Result::ok) {
            let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let stat = read("stat");
            let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            asleep &= state.starts_with('S');
            let schedstat = read("schedstat");
            total += schedstat.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or_default();
        }
        (asleep, total)
    }

    /// Its resident memory, in bytes.
    pub fn resident(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}
