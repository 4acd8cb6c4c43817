//! A `beckon serve` of its own process: a workspace, a data folder, environment; started, killed, started again.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use beckon::store::Store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::journeys::chat::Chat;
use crate::journeys::world::{IDENTITY_KEY, copy_folder, token};
use crate::store::Place;

/// The binary.
pub const BECKON: &str = env!("CARGO_BIN_EXE_beckon");

/// The key of the company's backend; it may do everything.
pub const KEY: &str = "chaos-api-key";

/// How long a process may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server is started with: it outlives its processes.
pub struct Site {
    pub workspace: tempfile::TempDir,
    pub data: tempfile::TempDir,
    /// Settings and secrets, by environment.
    pub env: BTreeMap<String, String>,
    place: Place,
    http: reqwest::Client,
}

/// A process that serves.
pub struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    pub url: String,
    /// What it printed before it listened.
    pub said: Vec<String>,
}

impl Site {
    /// The checkout workspace on this store, for a company whose API is there.
    pub fn new(place: Place, api: Option<std::net::SocketAddr>) -> Site {
        let workspace = tempfile::tempdir().unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workspaces/checkout"), workspace.path());
        let settings = place.settings();
        let mut site = Site {
            workspace,
            data: tempfile::tempdir().unwrap(),
            env: BTreeMap::new(),
            place,
            http: reqwest::Client::new(),
        };
        site.file("beckon.toml", include_str!("beckon.toml"));
        site.set("CHAOS_API_KEY", KEY);
        site.set("CHAOS_IDENTITY_KEY", IDENTITY_KEY);
        site.set("BECKON__STORE__URL", &settings.url);
        site.set("BECKON__STORE__PREFIX", &settings.prefix);
        let api = api.map_or_else(|| "http://127.0.0.1:9".to_owned(), |at| format!("http://{at}"));
        site.set("BECKON__ADAPTER__SHOP__URL", &api);
        site
    }

    /// With a model in front of the script.
    pub fn with_model(self, model: std::net::SocketAddr) -> Site {
        let lines = format!(
            "\n[[model]]\nname = \"stub\"\nurl = \"http://{model}/v1\"\nmodel = \"stub\"\nfirst_token = \"15s\"\n"
        );
        let file = std::fs::read_to_string(self.path("beckon.toml")).unwrap();
        self.file("beckon.toml", &format!("{file}{lines}"));
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// Writes a file of the workspace.
    pub fn file(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.workspace.path().join(path)
    }

    /// The store, opened beside; the embedded one only while no process runs.
    pub async fn store(&self) -> Arc<dyn Store> {
        self.store_with(|_| {}).await
    }

    pub async fn store_with(&self, change: impl FnOnce(&mut beckon::store::Settings)) -> Arc<dyn Store> {
        let mut settings = self.place.settings();
        change(&mut settings);
        beckon::store::open(&settings, self.data.path()).await.unwrap()
    }

    /// Where a process writes its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }

    /// Any command of the binary, with the site's environment and nothing else.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BECKON);
        command.args(arguments).env_clear().envs(&self.env);
        command
    }

    /// Runs a command with what it reads, to its end.
    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        run(self.command(arguments), input)
    }

    /// `beckon serve` with the site's folders and these arguments, not started.
    pub fn serve(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["serve", "--workspace"]);
        command.arg(self.workspace.path()).arg("--data").arg(self.data.path());
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        command
    }

    /// `beckon serve` with so much memory, in KiB: where it asks for more the system refuses, as a full machine does.
    pub fn serve_within(&self, memory: u32) -> Command {
        let serve = self.serve(&["--single"]);
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("ulimit -v {memory} && exec \"$0\" \"$@\""));
        command.arg(serve.get_program()).args(serve.get_args()).env_clear().envs(&self.env);
        // Else the C library reserves for each thread what only its first few need.
        command.env("MALLOC_ARENA_MAX", "1");
        command
    }

    /// Starts a process and waits until it listens.
    pub fn start(&self) -> Process {
        self.listening(self.serve(&["--single"]))
    }

    /// Starts this command and waits until it listens.
    pub fn listening(&self, command: Command) -> Process {
        let mut process = self.launch(command);
        while process.said.len() < 2 {
            match process.prints() {
                Some(line) => process.said.push(line),
                None => panic!("the server does not start:\n{}", self.log()),
            }
        }
        let url = process.said[0].strip_prefix("listening at ").expect("it says where it listens");
        process.url = url.to_owned();
        process
    }

    /// Starts this command and waits for nothing.
    pub fn launch(&self, mut command: Command) -> Process {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.data.path().join("log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (told, lines) = mpsc::channel();
        let printed = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || printed.map_while(Result::ok).for_each(|line| drop(told.send(line))));
        Process { child, lines, url: String::new(), said: Vec::new() }
    }

    pub async fn rest(&self, process: &Process, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", process.url)).bearer_auth(KEY);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    pub async fn get(&self, process: &Process, path: &str) -> Value {
        let (status, body) = self.rest(process, Method::GET, path, Value::Null).await;
        assert!(status < 300, "GET {path}: {status} {body}");
        body
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends an event; answers its id.
    pub async fn event(&self, process: &Process, kind: &str, customer: &str, data: Value) -> String {
        let (status, answer) = self.try_event(process, kind, customer, data).await;
        assert_eq!((status, &answer["results"][0]["status"]), (202, &json!("accepted")), "{answer}");
        answer["results"][0]["event"].as_str().unwrap().to_owned()
    }

    /// Sends an event that concerns nobody in particular; answers its id.
    pub async fn event_of_nobody(&self, process: &Process, kind: &str, data: Value) -> String {
        let id = format!("{:032x}", rand::random::<u128>());
        let event = json!({ "specversion": "1.0", "id": id, "source": "chaos", "type": kind, "data": data });
        let request = self.http.post(format!("{}/v1/events", process.url)).bearer_auth(KEY);
        let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["results"][0]["status"], "accepted", "{answer}");
        answer["results"][0]["event"].as_str().unwrap().to_owned()
    }

    pub async fn try_event(&self, process: &Process, kind: &str, customer: &str, data: Value) -> (u16, Value) {
        let id = format!("{:032x}", rand::random::<u128>());
        let event = json!({
            "specversion": "1.0", "id": id, "source": "chaos", "type": kind, "subject": customer, "data": data,
        });
        let request = self.http.post(format!("{}/v1/events", process.url)).bearer_auth(KEY);
        let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    /// What became of an event.
    pub async fn outcome(&self, process: &Process, event: &str) -> Value {
        let path = format!("/v1/events/{event}");
        self.until(process, "the event is decided", &path, |told| told["status"] != "pending").await
    }

    /// Asks for a path until the answer is as wanted.
    pub async fn until(&self, process: &Process, what: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let told = self.get(process, path).await;
            if wanted(&told) {
                return told;
            }
            assert!(begun.elapsed() < PATIENCE, "never came true: {what}; last:\n{told:#}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until everything is decided and archived.
    pub async fn rest_comes(&self, process: &Process) -> Value {
        self.until(process, "all is decided and archived", "/readyz", |ready| {
            ready["undecided_inputs"] == 0 && ready["projector_lag_lines"] == 0
        })
        .await
    }

    /// A socket of a customer.
    pub async fn chat(&self, process: &Process, customer: &str, resume: Value) -> Chat {
        let url = format!("{}/v1/chat", process.url.replacen("http", "ws", 1));
        Chat::connect(&url, json!({ "type": "hello", "token": token(customer), "resume": resume })).await
    }
}

impl Process {
    /// The next line that it prints; none where it prints no more.
    pub fn prints(&mut self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by name, such as `-TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits until it ends.
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command with what it reads, to its end.
pub fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may have ended before.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
    let mut errors = child.stderr.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        errors.read_to_end(&mut text).map(|_| text)
    });
    let mut stdout = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let stderr = reading.join().unwrap().unwrap();
    Output { status: child.wait().unwrap(), stdout, stderr }
}

/// What a command printed, and said of errors.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
