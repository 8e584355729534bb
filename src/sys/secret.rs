//! Secrets from files, standard input or a prompt; never from a flag's value.
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longest secret file, in octets.
const LONGEST: u64 = 4096;

/// The first line of a file, or of standard input for `-`.
///
/// # Errors
/// A sentence: it cannot be read, it is empty, or others can read it.
pub fn read(path: &Path) -> Result<String, String> {
    if path.as_os_str() == "-" {
        return first_line(io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| format!("cannot read {name}: {e}"))?;
    let about = file
        .metadata()
        .map_err(|e| format!("cannot read {name}: {e}"))?;
    // systemd guards its credentials by an ACL, which shows as group bits.
    if about.is_file() && about.mode() & 0o077 != 0 && !is_credential(path) {
        return Err(format!(
            "{name} can be read by others: run `chmod 600 {name}`"
        ));
    }
    first_line(file, &name)
}

/// A secret that the service manager has put at `$CREDENTIALS_DIRECTORY/NAME`.
pub fn credential(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name);
    path.exists().then_some(path)
}

fn is_credential(path: &Path) -> bool {
    std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|dir| path.starts_with(dir))
}

fn first_line(source: impl Read, name: &str) -> Result<String, String> {
    let mut line = String::new();
    BufReader::new(source.take(LONGEST))
        .read_line(&mut line)
        .map_err(|e| format!("cannot read {name}: {e}"))?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        Err(format!("{name} is empty"))
    } else {
        Ok(line.to_owned())
    }
}

fn terminal() -> Result<File, String> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    terminal
        .map_err(|_| "there is no terminal to ask on: use --password-file FILE (or -)".to_owned())
}

/// Asks on the terminal, without echo.
///
/// # Errors
/// A sentence: there is no terminal.
pub fn prompt_once(what: &str) -> Result<String, String> {
    ask(&terminal()?, what)
}

/// Asks twice on the terminal, without echo.
///
/// # Errors
/// A sentence: there is no terminal, or the two differ.
pub fn prompt(what: &str) -> Result<String, String> {
    let terminal = terminal()?;
    let first = ask(&terminal, what)?;
    if first.is_empty() {
        return Err("nothing was typed; nothing was changed".into());
    }
    if ask(&terminal, &format!("{what} again"))? != first {
        return Err("the two are not the same; nothing was changed".into());
    }
    Ok(first)
}

fn ask(mut terminal: &File, what: &str) -> Result<String, String> {
    let failed = |e: io::Error| format!("cannot use the terminal: {e}");
    let before = tcgetattr(terminal).map_err(|e| failed(e.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    // Silent first: what is typed the moment the question shows is neither seen nor lost.
    tcsetattr(terminal, OptionalActions::Flush, &silent).map_err(|e| failed(e.into()))?;
    let mut line = String::new();
    let asked = write!(terminal, "{what}: ");
    let read = asked.and_then(|()| BufReader::new(terminal.take(LONGEST)).read_line(&mut line));
    let restored = tcsetattr(terminal, OptionalActions::Flush, &before);
    let _ = writeln!(terminal);
    read.map_err(failed)?;
    restored.map_err(|e| failed(e.into()))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
