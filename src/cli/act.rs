//! What `token`, `app-password`, `alias` and `queue` share: a noun, an action and perhaps a name; asked of
//! the running server, else done in the store itself.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::server::Failure;
use crate::server::control::Request;

/// An action: its name, and what its argument is (empty for none).
pub(super) type Action = (&'static str, &'static str);

/// Finds the action that the words name, and the argument.
///
/// # Errors
/// Which actions there are.
pub(super) fn parse(
    noun: &str,
    actions: &[Action],
    words: Vec<String>,
) -> Result<(&'static str, String), Failure> {
    let mut words = words.into_iter();
    let (verb, argument) = (words.next().unwrap_or_default(), words.next());
    for (name, takes) in actions {
        if *name == verb && argument.is_some() != takes.is_empty() && words.len() == 0 {
            return Ok((name, argument.unwrap_or_default()));
        }
    }
    let mut text = String::from("it is used like this:");
    for (name, takes) in actions {
        for part in ["\n  pillarbox ", noun, " ", name, " ", takes] {
            text.push_str(part);
        }
    }
    Err(Failure::usage(text))
}

/// Has it done, and prints the answer: `done` where there is nothing to tell, else each line as `row`
/// shows it.
///
/// # Errors
/// Why not.
pub(super) fn act(
    db: Option<&str>,
    request: &Request,
    done: &str,
    row: fn(&str) -> String,
) -> Result<(), Failure> {
    let db = existing_db_path(db)?;
    let mut lines = perform(&db, request)?;
    if lines.is_empty() && !done.is_empty() {
        lines.push(done.to_owned());
        return show(&lines, str::to_owned);
    }
    show(&lines, row)
}

fn show(lines: &[String], row: fn(&str) -> String) -> Result<(), Failure> {
    for line in lines {
        print(&(row(line) + "\n"));
    }
    Ok(())
}
