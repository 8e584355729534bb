//! What argh does not do with arguments: `--flag=value`, `-vv`, `-` for standard input, and refusing a flag in the place of
//! a value (argh takes `--smarthost --try` as "the smarthost is --try").
use crate::server::Failure;
use std::ffi::OsString;

/// Flags without a value. Every other one takes the next argument.
const SWITCHES: &[&str] = &[
    "--help",
    "--version",
    "--verbose",
    "--quiet",
    "--try",
    "--catch-all",
    "--push-private",
    "--allow-plain-auth",
    "--direct",
    "--lan-relay",
    "--lan-any-sender",
    "--dns-trusted",
    "--tls-reports",
    "--sent-copy",
    "--form",
    "--apop",
    "--stdin",
    "--remove",
    "--seen",
    "--replace",
    "--dry-run",
    "--in-place",
    "--qr",
    "--insecure",
    "--again",
];

/// The arguments as argh understands them.
///
/// # Errors
/// Wrong flags, in a sentence.
pub fn prepare(raw: impl Iterator<Item = OsString>) -> Result<Vec<String>, Failure> {
    let mut out = Vec::new();
    let mut raw = raw.peekable();
    while let Some(arg) = raw.next() {
        let arg = utf8(arg)?;
        if arg == "--" {
            out.push(arg);
            for rest in raw.by_ref() {
                out.push(utf8(rest)?);
            }
            break;
        }
        // A listener of `serve` has the same name.
        let is_switch = |flag: &str| {
            SWITCHES.contains(&flag)
                || flag == "--metrics" && out.first().is_some_and(|it: &String| it == "status")
        };
        if let Some((flag, value)) = arg
            .split_once('=')
            .filter(|(flag, _)| flag.starts_with("--"))
        {
            if is_switch(flag) {
                return Err(Failure::usage(format!("{flag} takes no value")));
            }
            out.extend([flag.to_owned(), value.to_owned()]);
        } else if arg.len() > 2 && is_repeated(&arg) {
            let short: String = arg.chars().take(2).collect();
            out.extend(std::iter::repeat_n(short, arg.len() - 1));
        } else if arg.starts_with("--") && !is_switch(&arg) {
            let Some(value) = raw.next() else {
                return Err(needs_value(&arg));
            };
            let value = utf8(value)?;
            if value.starts_with("--") {
                return Err(needs_value(&arg));
            }
            out.extend([arg, value]);
        } else if arg == "-" {
            out.push("/dev/stdin".into());
        } else {
            out.push(arg);
        }
    }
    Ok(out)
}

fn needs_value(flag: &str) -> Failure {
    Failure::usage(format!(
        "{flag} needs a value, or is no flag at all: see --help"
    ))
}

fn utf8(arg: OsString) -> Result<String, Failure> {
    arg.into_string()
        .map_err(|arg| Failure::usage(format!("the argument {} is not UTF-8", arg.display())))
}

/// `-vv`, `-qq`, ...
fn is_repeated(arg: &str) -> bool {
    let letters = arg.trim_start_matches('-');
    arg.len() == letters.len() + 1
        && (letters.chars().all(|c| c == 'v') || letters.chars().all(|c| c == 'q'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Result<Vec<String>, String> {
        prepare(args.iter().map(OsString::from)).map_err(Failure::message)
    }

    #[test]
    fn forms() {
        let good = |args: &[&str]| run(args).unwrap().join("|");
        assert_eq!(
            good(&["serve", "--db=a=b", "-vv", "--try"]),
            "serve|--db|a=b|-v|-v|--try"
        );
        assert_eq!(good(&["status", "--metrics"]), "status|--metrics");
        assert_eq!(good(&["serve", "--metrics=1"]), "serve|--metrics|1");
        assert_eq!(good(&["--imap", "off", "-q"]), "--imap|off|-q");
        assert_eq!(good(&["--password-file", "-"]), "--password-file|-");
        assert_eq!(good(&["import", "-"]), "import|/dev/stdin");
        assert_eq!(good(&["token", "--", "--db"]), "token|--|--db");
        assert_eq!(good(&["--alias=--odd"]), "--alias|--odd");
        for bad in [&["--db"][..], &["--smarthost", "--try"], &["--try=yes"]] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
        let odd = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
        assert!(prepare([odd].into_iter()).is_err());
    }

    /// What argh takes for a switch must be one here: else it would swallow the next argument.
    #[test]
    fn every_switch_is_known() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.ends_with("args.rs") {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let mut lines = text.lines();
            while let Some(line) = lines.next() {
                let Some((_, attributes)) = line.split_once("#[argh(switch") else {
                    continue;
                };
                let named = attributes.split_once("long = \"").map(|(_, name)| name);
                let field = lines.next().unwrap().trim().trim_start_matches("pub ");
                let name = match named {
                    Some(name) => name.split('"').next().unwrap().to_owned(),
                    None => field.split(':').next().unwrap().replace('_', "-"),
                };
                let flag = format!("--{name}");
                let known = SWITCHES.contains(&flag.as_str()) || flag == "--metrics";
                assert!(known, "{flag} in {path:?}");
            }
        }
    }
}
