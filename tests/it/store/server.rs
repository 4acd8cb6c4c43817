//! Real Redis servers for tests: one that all share, and single ones to be stopped and started.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A Redis server with a folder of its own.
pub struct Server {
    port: u16,
    options: Vec<String>,
    dir: tempfile::TempDir,
    process: Option<Child>,
    paused: Option<String>,
}

/// The server that tests share; each has keys of its own.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(&["--appendonly", "yes"]))
}

impl Server {
    /// Starts one on a free port; another process may be quicker to take it, so a few are tried.
    pub fn start(options: &[&str]) -> Server {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let dir = tempfile::tempdir().unwrap();
            let mut server = Server { port, options: options.clone(), dir, process: None, paused: None };
            if server.up() {
                return server;
            }
        }
        panic!("no Redis server starts: is redis-server installed?");
    }

    /// Starts it (again); false: it ended at once.
    pub fn up(&mut self) -> bool {
        // The shell ends with this process, whose end of the pipe closes however it dies, and takes the server along.
        let script = r#"exec 3<&0; redis-server "$@" >/dev/null 2>&1 3<&- & server=$!; ( cat <&3 >/dev/null; kill -9 $server ) & wait $server"#;
        let process = Command::new("sh")
            .args(["-c", script, "redis"])
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""])
            .args(["--dir", &self.dir.path().display().to_string(), "--enable-debug-command", "yes"])
            .args(&self.options)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = self.process.insert(process);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("a Redis server does not start");
    }

    /// Kills it, as a machine that loses power does but for the disk.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.stdin.take());
            process.wait().unwrap();
            while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Stops its process where it is, until [`Server::go_on`].
    pub fn pause(&mut self) {
        let info: String = redis::cmd("INFO").arg("server").query(&mut self.connection()).unwrap();
        let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim();
        self.paused = Some(pid.to_owned());
        self.signal("-STOP");
    }

    pub fn go_on(&mut self) {
        self.signal("-CONT");
        self.paused = None;
    }

    fn signal(&self, signal: &str) {
        if let Some(pid) = &self.paused {
            assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A plain connection, to do what a store would not.
    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
