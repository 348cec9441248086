//! PostgreSQL servers of a test's own: a private data folder, a socket in it, no network.
//!
//! The server's programs come from the system's packages (Debian: `/usr/lib/postgresql/*/bin`). It
//! refuses to run as root, so root starts it as `postgres` or `nobody`. It ends with its handle, and
//! with this process, however that ends.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, id},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::has_program;

/// Why no server can be started here, if so.
#[must_use]
pub fn unavailable() -> Option<String> {
    if programs().is_none() {
        return Some("no PostgreSQL server here (Debian: apt-get install postgresql)".to_owned());
    }
    let missing = is_root() && !has_program("setpriv");
    missing.then(|| "setpriv is missing, and a PostgreSQL server refuses to run as root".to_owned())
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    settings: Vec<String>,
    process: Mutex<Option<Process>>,
}

impl Server {
    /// Starts a server with settings such as `shared_buffers=1GB` in a new folder below `place`.
    ///
    /// # Errors
    ///
    /// When there is none, or it does not start; with what it wrote.
    pub fn start(place: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Short, because the path of a socket has 107 bytes at most.
        let folder = place.join(format!("shieldwall-pg-{}-{count}", id()));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let server = Self {
            folder,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            process: Mutex::new(None),
        };
        if let Some(user) = user() {
            run(Command::new("chown").arg(user).arg(&server.folder))?;
        }
        run(as_user("initdb")?
            .arg("--pgdata")
            .arg(server.data())
            .args(["--username=shieldwall", "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync"])
            .stdout(Stdio::null()))?;
        server.run_again()?;
        Ok(server)
    }

    /// One server for all tests of this process that run at the same time. In memory where that
    /// is possible, so that many tests with many commits are quick.
    ///
    /// # Errors
    ///
    /// See [`Server::start`].
    pub fn shared() -> anyhow::Result<Arc<Self>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() {
            memory.to_owned()
        } else {
            env::temp_dir()
        };
        let server = Arc::new(Self::start(&place, &[])?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    /// The URL of its one database, `postgres`, with its tables in that schema.
    #[must_use]
    pub fn url(&self, schema: &str) -> String {
        let host = self.folder.display();
        format!(
            "postgres:///postgres?user=shieldwall&host={host}&port={PORT}&options[search_path]={schema}"
        )
    }

    /// Runs statements through `psql`, and returns what they print, unaligned.
    ///
    /// # Errors
    ///
    /// When one fails; with what `psql` wrote.
    pub fn sql(&self, statements: &str) -> anyhow::Result<String> {
        let mut psql = Command::new(program("psql")?);
        let output = psql
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--username=shieldwall"])
            .args(["--dbname=postgres", &format!("--port={PORT}"), "--host"])
            .arg(&self.folder)
            .args(["--command", statements])
            .output()
            .context("starting psql")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The process of the server, whose children are its sessions.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(|process| process.pid)
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Kills the server and all its sessions at once, as `kill -9` does; [`Server::run_again`] starts it.
    ///
    /// # Errors
    ///
    /// When a signal cannot be sent.
    pub fn kill(&self) -> anyhow::Result<()> {
        let Some(process) = self.lock().take() else {
            return Ok(());
        };
        // Sessions are found by their parent, which is held so that it starts no more of them, and
        // dies first: it must not see them die.
        let pid = process.pid.to_string();
        run(Command::new("kill").args(["-STOP", &pid]))?;
        let sessions = children(process.pid);
        run(Command::new("kill").args(["-9", &pid]))?;
        for session in &sessions {
            // It may have ended already.
            run(Command::new("kill").args(["-9", session])).ok();
        }
        process.ended();
        // As long as one of them lives, the next server does not start on the data.
        for _ in 0..ENDS_WAITED_MAX {
            if !sessions.iter().any(|session| is_alive(session)) {
                return Ok(());
            }
            sleep(ENDS_WAIT);
        }
        bail!("sessions of a killed server go on: {sessions:?}")
    }

    /// Stops the server and its sessions where they are, as on a machine that hangs.
    ///
    /// # Errors
    ///
    /// When a signal cannot be sent.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    /// Lets them go on.
    ///
    /// # Errors
    ///
    /// When a signal cannot be sent.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let Some(pid) = self.pid() else {
            return Ok(());
        };
        // The parent first: it starts no session meanwhile.
        run(Command::new("kill").args([signal, &pid.to_string()]))?;
        for session in children(pid) {
            // It may have ended.
            run(Command::new("kill").args([signal, &session])).ok();
        }
        Ok(())
    }

    /// Starts it on its data, after [`Server::kill`].
    ///
    /// # Errors
    ///
    /// When it does not start; with what it wrote.
    pub fn run_again(&self) -> anyhow::Result<()> {
        let mut command = as_user("postgres")?;
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&self.folder);
        command.args([
            "-p",
            PORT,
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=200",
        ]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log_file = self.folder.join("log");
        let log = fs::File::create(&log_file)?;
        command.stdout(log.try_clone()?).stderr(log);
        *self.lock() = Some(Process::start(command)?);
        let started = Instant::now();
        let ready = || -> anyhow::Result<bool> {
            let mut ask = Command::new(program("pg_isready")?);
            ask.args(["--quiet", "--port", PORT, "--host"])
                .arg(&self.folder);
            Ok(ask.status()?.success())
        };
        while !ready()? {
            if started.elapsed() > START_WAIT_MAX {
                let wrote = fs::read_to_string(&log_file).unwrap_or_default();
                bail!("the PostgreSQL server does not start: {wrote}");
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = self.lock().take() {
            // Its data go with it: an immediate shutdown will do.
            run(Command::new("kill").args(["-QUIT", &process.pid.to_string()])).ok();
            process.ended();
        }
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Part of the socket's name only.
const PORT: &str = "5432";
/// Recovery after a kill takes longest.
const START_WAIT_MAX: Duration = Duration::from_secs(60);

/// The server's process, and the thread that waits for it. The system ends the server when that thread
/// ends (`setpriv --pdeathsig`), which is when this process does.
#[derive(Debug)]
struct Process {
    pid: u32,
    waits: JoinHandle<()>,
}

impl Process {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let (tell, told) = mpsc::channel();
        let waits = thread::spawn(move || {
            let child: io::Result<Child> = command.stdin(Stdio::null()).spawn();
            match child {
                Ok(mut child) => {
                    tell.send(Ok(child.id())).ok();
                    child.wait().ok();
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        });
        let pid = told.recv().context("the thread of a server ended")??;
        Ok(Self { pid, waits })
    }

    fn ended(self) {
        self.waits.join().ok();
    }
}

/// How often, and how long each time, a killed server's sessions are waited for.
const ENDS_WAITED_MAX: u32 = 1000;
const ENDS_WAIT: Duration = Duration::from_millis(10);

/// Whether a process has not ended; one that nobody asked after yet has.
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

/// The newest server's programs.
fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = debian
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|folder| folder.join("postgres").is_file())
        .collect();
    folders.sort_by_key(|folder| version(folder));
    let path = env::var_os("PATH").unwrap_or_default();
    folders
        .pop()
        .or_else(|| env::split_paths(&path).find(|folder| folder.join("postgres").is_file()))
}

fn version(folder: &Path) -> Option<u32> {
    folder.parent()?.file_name()?.to_str()?.parse().ok()
}

fn program(name: &str) -> anyhow::Result<PathBuf> {
    Ok(programs().context("no PostgreSQL server here")?.join(name))
}

/// A program of the server, as a user that it accepts.
fn as_user(name: &str) -> anyhow::Result<Command> {
    let Some(user) = user() else {
        return Ok(Command::new(program(name)?));
    };
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            user,
            "--regid",
            user_group(user),
            "--clear-groups",
        ])
        .args(["--pdeathsig", "QUIT"])
        .arg(program(name)?)
        .current_dir("/");
    Ok(command)
}

/// Whom root starts the server as.
fn user() -> Option<&'static str> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let there = passwd.lines().any(|line| line.starts_with("postgres:"));
    is_root().then_some(if there { "postgres" } else { "nobody" })
}

fn user_group(user: &str) -> &str {
    if user == "nobody" { "nogroup" } else { user }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let uids = lines.find_map(|line| line.strip_prefix("Uid:"));
    uids.is_some_and(|uids| uids.split_whitespace().nth(1) == Some("0"))
}

fn children(pid: u32) -> Vec<String> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_ones_own_survives_its_death_and_ends_with_its_handle() {
        if let Some(why) = unavailable() {
            crate::skip("postgres::a_server_of_ones_own", &why);
            return;
        }
        let server = Server::shared().unwrap();
        server
            .sql("CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
            .unwrap();
        assert!(server.sql("SELECT nothing").is_err());
        server.kill().unwrap();
        assert!(server.sql("SELECT 1").is_err());
        server.run_again().unwrap();
        assert_eq!(server.sql("SELECT n FROM t").unwrap(), "7");
        let (pid, folder) = (server.pid().unwrap(), server.folder.clone());
        drop(server);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(!folder.exists());
    }
}
