//! One run of the binary.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// Lines as they come, and whether no more will.
type Lines = Arc<(Mutex<(String, bool)>, Condvar)>;

/// A child process, killed on drop.
pub struct Run {
    child: Child,
    out: Lines,
    err: Lines,
    readers: Vec<JoinHandle<()>>,
}

impl Run {
    pub fn start(dir: &Path, args: &[&str]) -> Run {
        Run::start_with(dir, args, "")
    }

    fn start_with(dir: &Path, args: &[&str], input: &str) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
        command.args(args);
        Run::of(command, dir, input)
    }

    /// With these settings (`NAME=value`) in its environment.
    pub fn start_with_env(dir: &Path, settings: &[&str], args: &[&str]) -> Run {
        let mut command = Command::new("/usr/bin/env");
        command
            .args(settings)
            .arg(env!("CARGO_BIN_EXE_pillarbox"))
            .args(args);
        Run::of(command, dir, "")
    }

    /// As a service manager starts it that has bound `socket` (sd_listen_fds(3)).
    pub fn start_activated(dir: &Path, socket: TcpListener, args: &[&str]) -> Run {
        let mut command = Command::new("/bin/sh");
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
        command
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_pillarbox")])
            .args(args);
        Run::with_input(command, dir, Stdio::from(OwnedFd::from(socket)), "")
    }

    /// At a terminal of so many columns, where both outputs go.
    pub fn start_on_terminal(dir: &Path, columns: u16, args: &[&str]) -> Run {
        let binary = env!("CARGO_BIN_EXE_pillarbox");
        let run = format!("stty cols {columns}; exec '{binary}' {}", args.join(" "));
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &run, "/dev/null"]);
        Run::of(command, dir, "")
    }

    /// With so few file descriptors.
    pub fn start_with_descriptors(dir: &Path, args: &[&str], descriptors: u32) -> Run {
        let mut command = Command::new("/bin/sh");
        let script = format!("ulimit -n {descriptors}; exec \"$@\"");
        command
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_pillarbox")])
            .args(args);
        Run::of(command, dir, "")
    }

    /// With files of at most so many KiB, like a disk that is nearly full.
    pub fn start_with_file_size(dir: &Path, args: &[&str], kib: u64) -> Run {
        let mut command = Command::new("/bin/sh");
        // POSIX counts blocks of 512 octets; without the trap a larger file is a signal.
        let script = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$@\"", kib * 2);
        command
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_pillarbox")])
            .args(args);
        Run::of(command, dir, "")
    }

    /// Ends that limit.
    pub fn lift_file_size(&self) {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let pid = Pid::from_child(&self.child);
        let none = Rlimit {
            current: None,
            maximum: None,
        };
        prlimit(Some(pid), Resource::Fsize, none).unwrap();
    }

    fn of(command: Command, dir: &Path, input: &str) -> Run {
        Run::with_input(command, dir, Stdio::piped(), input)
    }

    fn with_input(mut command: Command, dir: &Path, stdin: Stdio, input: &str) -> Run {
        let mut child = command
            .current_dir(dir)
            .env_clear()
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that ends without reading is no error here.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes());
        }
        let (out, err) = (Lines::default(), Lines::default());
        let readers = vec![
            collect(child.stdout.take().unwrap(), out.clone()),
            collect(child.stderr.take().unwrap(), err.clone()),
        ];
        Run {
            child,
            out,
            err,
            readers,
        }
    }

    /// Waits until the log has said this, and returns the rest of that line.
    #[track_caller]
    pub fn find(&self, words: &str) -> String {
        let (lock, bell) = &*self.err;
        let mut text = lock.lock().unwrap();
        loop {
            let found = text.0.lines().rev().find_map(|line| line.split_once(words));
            if let Some((_, rest)) = found {
                return rest.to_owned();
            }
            let (out, ended) = (self.out(), text.1);
            assert!(!ended, "ended without saying {words:?}: {out}{}", text.0);
            let (next, late) = bell.wait_timeout(text, crate::harness::PATIENCE).unwrap();
            text = next;
            assert!(!late.timed_out(), "never said {words:?}: {out}{}", text.0);
        }
    }

    /// Standard output, once these words are in it: it is another pipe than the log.
    #[track_caller]
    pub fn printed(&self, words: &str) -> String {
        let (lock, bell) = &*self.out;
        let mut text = lock.lock().unwrap();
        while !text.0.contains(words) {
            assert!(!text.1, "ended without printing {words:?}: {}", text.0);
            let (next, late) = bell.wait_timeout(text, crate::harness::PATIENCE).unwrap();
            text = next;
            assert!(!late.timed_out(), "never printed {words:?}: {}", text.0);
        }
        text.0.clone()
    }

    #[track_caller]
    pub fn ready(&self) {
        self.find("ready: ");
    }

    /// Where a role listens.
    #[track_caller]
    pub fn addr(&self, role: &str) -> SocketAddr {
        self.find(&format!(" {role} on ")).parse().unwrap()
    }

    /// Standard output so far.
    pub fn out(&self) -> String {
        self.out.0.lock().unwrap().0.clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// SIGTERM, and the end.
    pub fn stop(self) -> (i32, String, String) {
        self.signal("TERM");
        self.finish()
    }

    /// Waits for the end: exit code, standard output, standard error.
    pub fn finish(mut self) -> (i32, String, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let err = self.err.0.lock().unwrap().0.clone();
        (code, self.out(), err)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(source: impl Read + Send + 'static, into: Lines) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (lock, bell) = &*into;
        for line in BufReader::new(source).lines() {
            let Ok(line) = line else { break };
            lock.lock().unwrap().0.push_str(&format!("{line}\n"));
            bell.notify_all();
        }
        lock.lock().unwrap().1 = true;
        bell.notify_all();
    })
}

/// Runs to the end with this on standard input.
pub fn pillarbox(dir: &Path, args: &[&str], input: &str) -> (i32, String, String) {
    Run::start_with(dir, args, input).finish()
}
