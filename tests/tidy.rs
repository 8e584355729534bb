//! What must not slip unseen: the layer edges, no panics, the RFC table, no traces.
//!
//! The rules stand at the top, as tables; what reads the sources stands below them.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which folder (or file) of `src` may name which others. The picture is in `src/lib.rs`; an arrow
/// that is not in this table does not exist.
const EDGES: &[(&str, &str)] = &[
    ("limits", ""),
    ("sys", "limits"),
    ("mime", "limits"),
    ("keep", "limits sys mime store mail net server"),
    ("store", "limits sys mime"),
    ("dns", "limits sys"),
    ("verify", "limits sys dns mime mail"),
    ("config", "limits sys net auth"),
    ("net", "limits sys config"),
    ("auth", "limits sys mime net store mail config"),
    ("mail", "limits sys mime store"),
    ("http", "limits sys net config auth mail mime"),
    (
        "smtp",
        "limits sys net config auth mail mime server dns verify",
    ),
    ("imap", "limits sys net config auth mail mime server"),
    ("pop3", "limits sys net config auth mail mime server"),
    ("jmap", "limits sys net config auth mail mime server http"),
    (
        "queue",
        "limits sys net config auth mail mime server smtp dns verify",
    ),
];

/// Whatever stands here may name everything: they put the house together.
const ROOFS: &[&str] = &["lib", "main", "cli", "server"];

/// What a grammar may not know: it turns octets into values and values into octets.
const IMPURE: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::io",
    "std::fs",
    "std::thread",
    "SystemTime",
    "Instant",
    "smol",
    "async_",
    ".await",
    "async fn",
    "log::",
    "redb",
    "crate::store",
    "crate::net",
    "crate::sys",
    "crate::auth",
    "crate::server",
    "crate::config",
];

/// What ends a connection that did nothing wrong.
const PANICS: &[&str] = &[
    ".unwrap()",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "unreachable!(",
    "dbg!(",
];

/// What the table says of an RFC.
const STATUSES: &[&str] = &["yes", "partial", "no"];

/// IMAP commands that are at home with another one.
const SHARED: &[(&str, &str)] = &[
    ("EXAMINE", "select"),
    ("UNSUBSCRIBE", "subscribe"),
    ("REPLACE", "append"),
    ("GETQUOTA", "quota"),
    ("GETQUOTAROOT", "quota"),
    ("SETQUOTA", "quota"),
    ("GETMETADATA", "metadata"),
    ("SETMETADATA", "metadata"),
    ("GETJMAPACCESS", "jmapaccess"),
    ("SETACL", "acl"),
    ("DELETEACL", "acl"),
    ("GETACL", "acl"),
    ("LISTRIGHTS", "acl"),
    ("MYRIGHTS", "acl"),
];

/// What is in `src/imap/command` and no command.
const HELPERS: &[&str] = &["mod", "body", "criteria", "found", "url"];

/// Where is SORT? In `wire/sort.rs`, `command/sort.rs` and `tests/imap/sort.rs`.
#[test]
fn every_imap_command_has_its_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let grammar = read("src/imap/wire/mod.rs");
    let (_, arms) = grammar.split_once("fn any_state").unwrap();
    let acl = read("src/imap/wire/acl.rs");
    let arms = arms.lines().chain(acl.lines());
    let mut known = 0;
    for arm in arms {
        let Some((name, does)) = arm
            .trim()
            .strip_prefix('"')
            .and_then(|arm| arm.split_once("\" => "))
        else {
            continue;
        };
        if ["NOOP", "CHECK", "UID"].contains(&name) {
            continue;
        }
        known += 1;
        let shared = SHARED.iter().find(|(shared, _)| *shared == name);
        let home = shared.map_or_else(|| name.to_lowercase(), |(_, home)| (*home).to_owned());
        let argued =
            does.contains("(c") || does.ends_with('{') || shared.is_some_and(|it| it.1 == "acl");
        let folders = ["src/imap/command", "tests/imap", "src/imap/wire"];
        for folder in &folders[..if argued { 3 } else { 2 }] {
            let file = format!("{folder}/{home}.rs");
            assert!(root.join(&file).exists(), "{name} has no {file}");
        }
    }
    assert!(known > 45, "{known} commands found");
    for entry in fs::read_dir(root.join("src/imap/command")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let helper = HELPERS.contains(&name.trim_end_matches(".rs"));
        let test = root.join("tests/imap").join(&name);
        assert!(helper || test.exists(), "{name} has no test");
    }
}

#[test]
fn layers_point_down() {
    let allowed: BTreeMap<_, BTreeSet<_>> = EDGES
        .iter()
        .map(|(from, to)| (*from, to.split(' ').collect()))
        .collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let from = source.room();
        if ROOFS.contains(&from.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(from.as_str()) else {
            wrong.push(format!("{}: no row for `{from}` in EDGES", source.path));
            continue;
        };
        for (line, to) in source.named_rooms() {
            if to != from && !allowed.contains(to.as_str()) {
                wrong.push(format!(
                    "{}:{line}: `{from}` may not name `{to}`",
                    source.path
                ));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn only_the_store_knows_redb() {
    let wrong: Vec<_> = sources()
        .iter()
        .filter(|source| source.room() != "store")
        .flat_map(|source| source.lines_with("redb"))
        .collect();
    nothing(&wrong);
}

#[test]
fn grammars_are_pure() {
    let wires = sources()
        .into_iter()
        .filter(|source| source.path.contains("/wire/"));
    let wrong: Vec<_> = wires
        .flat_map(|wire| IMPURE.iter().flat_map(move |it| wire.lines_with(it)))
        .collect();
    nothing(&wrong);
}

#[test]
fn nothing_panics_outside_tests() {
    let wrong: Vec<_> = sources()
        .iter()
        .flat_map(|source| {
            let plain = PANICS.iter().flat_map(|it| source.lines_with(it));
            plain.chain(source.expectations())
        })
        .collect();
    nothing(&wrong);
}

#[test]
fn unsafe_stays_in_sys() {
    let wrong: Vec<_> = sources()
        .iter()
        .filter(|source| source.room() != "sys")
        .flat_map(|source| source.lines_with("unsafe "))
        .collect();
    nothing(&wrong);
}

#[test]
fn lints_are_on() {
    let manifest = read("Cargo.toml");
    for lint in [
        "unsafe_code = \"deny\"",
        "missing_docs",
        "unwrap_used",
        "expect_used",
    ] {
        assert!(manifest.contains(lint), "Cargo.toml: [lints] has no {lint}");
    }
}

#[test]
fn modules_say_what_they_are() {
    let wrong: Vec<_> = sources()
        .iter()
        .filter(|source| !source.raw.starts_with("//!"))
        .map(|source| format!("{}: no //! at its head", source.path))
        .collect();
    nothing(&wrong);
}

#[test]
fn every_citation_has_a_row() {
    let table = table();
    let mut wrong = Vec::new();
    for source in sources() {
        for (line, number) in citations(&source.raw) {
            if !table.contains_key(&number) {
                wrong.push(format!(
                    "{}:{line}: RFC {number} is not in tests/rfc.tsv",
                    source.path
                ));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn every_row_is_true() {
    let cited: BTreeSet<u32> = sources()
        .iter()
        .flat_map(|source| citations(&source.raw).into_iter().map(|(_, number)| number))
        .collect();
    let mut wrong = Vec::new();
    for (number, row) in table() {
        if !STATUSES.contains(&row.status.as_str()) {
            wrong.push(format!("RFC {number}: `{}` is no status", row.status));
        }
        if row.status == "yes" && !cited.contains(&number) {
            wrong.push(format!("RFC {number}: yes, but src never cites it"));
        }
        if row.status == "yes" && row.tests.is_empty() {
            wrong.push(format!("RFC {number}: yes, but no test is named"));
        }
        for test in &row.tests {
            let text = fs::read_to_string(root().join(test)).unwrap_or_default();
            if !text.contains("#[test]") && !text.contains("proptest!") {
                wrong.push(format!("RFC {number}: no test in {test}"));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn readme_has_the_table() {
    let readme = read("README.md");
    let mut lines = readme.lines().skip_while(|line| *line != HEAD[0]);
    let shown: Vec<_> = lines
        .by_ref()
        .take_while(|line| line.starts_with('|'))
        .collect();
    let meant = markdown();
    if shown.iter().copied().eq(meant.lines()) {
        return;
    }
    if std::env::var_os("TIDY_WRITE").is_some() {
        let old = if shown.is_empty() {
            HEAD[0].to_owned()
        } else {
            shown.join("\n")
        };
        return fs::write(
            root().join("README.md"),
            readme.replace(&old, meant.trim_end()),
        )
        .unwrap();
    }
    panic!("README.md's RFC table is not tests/rfc.tsv; run with TIDY_WRITE=1 to write it");
}

/// The OpenWrt service knows every flag of `serve`, by its name, and no other.
#[test]
fn uci_is_the_flags() {
    let init = read("openwrt/files/pillarbox.init");
    let named = |list: &str| -> BTreeSet<String> {
        let (_, rest) = init
            .split_once(&format!("\n{list}=\""))
            .unwrap_or_else(|| panic!("{list}"));
        let words = rest
            .split('"')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        words.map(|word| word.replace('_', "-")).collect()
    };
    let uci: BTreeSet<String> = ["OPTIONS", "SWITCHES", "LISTS"]
        .into_iter()
        .flat_map(named)
        .collect();
    // What takes no value has to be known before argh sees it.
    let args = read("src/cli/args.rs");
    for switch in named("SWITCHES") {
        assert!(args.contains(&format!("\"--{switch}\"")), "--{switch}");
    }
    let mut flags = flags("src/cli/serve.rs");
    // Not for a service: it runs as its own user from the start, and is not being tried out.
    flags.retain(|flag| !["try", "run-as"].contains(&flag.as_str()));
    assert_eq!(uci, flags);
    let config = read("openwrt/files/pillarbox.config");
    for line in config
        .lines()
        .map(|line| line.trim_start_matches(['#', '\t', ' ']))
    {
        let mut words = line.split(' ');
        if let (Some("option" | "list"), Some(name)) = (words.next(), words.next()) {
            let flag = name.replace('_', "-");
            assert!(
                name == "enabled" || flags.contains(&flag),
                "no flag --{flag}"
            );
        }
    }
}

/// README's table names no flag that is not there.
#[test]
fn readme_knows_the_flags() {
    let flags = flags("src/cli/serve.rs");
    let readme = read("README.md");
    for row in readme.lines().filter(|line| line.starts_with("| `-")) {
        let cell = row.split(" | ").next().unwrap_or_default();
        for flag in cell.split("--").skip(1) {
            let name: String = flag
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                .collect();
            assert!(
                flags.contains(&name),
                "README.md: no flag --{name} in {cell}"
            );
        }
    }
}

/// The long names of a command's flags, as its argh struct has them.
fn flags(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let mut found = BTreeSet::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if !line.starts_with("#[argh(option") && !line.starts_with("#[argh(switch") {
            continue;
        }
        let mut attribute = line.to_owned();
        while !attribute.ends_with(")]") {
            attribute.push_str(lines.next().unwrap_or(")]"));
        }
        let field = lines.next().unwrap_or_default().trim_start_matches("pub ");
        let long = attribute
            .split_once("long = \"")
            .and_then(|(_, rest)| rest.split('"').next());
        found.insert(long.map_or_else(|| identifier(field).replace('_', "-"), str::to_owned));
    }
    assert!(!found.is_empty(), "{path}: no flags");
    found
}

/// What deny.toml allows holds for every crate that is linked, without a tool to install.
#[test]
fn licences_are_allowed() {
    let deny = read("deny.toml");
    let list = deny
        .split_once("allow = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .unwrap()
        .0;
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let wrong: Vec<_> = packages
        .iter()
        .filter(|package| !is_allowed(package["license"].as_str().unwrap_or_default(), &allowed))
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    nothing(&wrong);
}

/// Whether one of the alternatives (`OR`, `/`) has only allowed licences (`AND`) in it.
fn is_allowed(licence: &str, allowed: &BTreeSet<&str>) -> bool {
    let flat = licence.replace(['(', ')'], " ").replace('/', " OR ");
    // `(A OR B) AND C`: every part of the conjunction has an allowed alternative.
    flat.split(" AND ")
        .all(|part| part.split(" OR ").any(|name| allowed.contains(name.trim())))
}

/// A path of the machine where a line was written helps nobody who reads it elsewhere.
#[test]
fn no_paths_of_this_machine() {
    let known = [
        "/", "/home", "/root", "/tmp", "/usr", "/usr/src", "/src", "/opt", "/mnt", "/var",
    ];
    let here = root();
    let homes: Vec<String> = here
        .ancestors()
        .filter_map(Path::to_str)
        .filter(|path| !known.contains(path))
        .map(|path| format!("{path}/"))
        .collect();
    let mut wrong = Vec::new();
    for path in files(
        &here,
        &["rs", "toml", "md", "sh", "tsv", "service", "yml", "run"],
    ) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (at, line) in text.lines().enumerate() {
            if homes.iter().any(|home| line.contains(home.as_str())) {
                wrong.push(format!("{}:{}: {line}", path.display(), at + 1));
            }
        }
    }
    nothing(&wrong);
}

/// One file of `src`: as it is, and its code alone.
struct Source {
    /// From the crate's root, with `/`.
    path: String,
    raw: String,
    /// Comments, literals and test modules blanked, line for line.
    code: String,
}

impl Source {
    /// The folder or file directly under `src` that it belongs to.
    fn room(&self) -> String {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = inside.split('/').next().unwrap_or(inside);
        first.strip_suffix(".rs").unwrap_or(first).to_owned()
    }

    fn lines_with(&self, needle: &str) -> Vec<String> {
        let hits = self
            .code
            .lines()
            .enumerate()
            .filter(|(_, line)| holds(line, needle));
        hits.map(|(at, line)| format!("{}:{}: {}", self.path, at + 1, line.trim()))
            .collect()
    }

    /// Calls of the standard library's `expect`, which takes one literal (blanked here); a parser's
    /// own `expect` takes more. In a `const` it is the compiler that panics.
    fn expectations(&self) -> Vec<String> {
        let calls = self.lines_with(".expect(").into_iter();
        calls
            .filter(|line| {
                let argument = line.split_once(".expect(").map_or("", |(_, rest)| rest);
                argument.trim_start().starts_with(')') && !line.contains("const ")
            })
            .collect()
    }

    /// Every `crate::room` in the code, `use crate::{a, b::c}` taken apart.
    fn named_rooms(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("crate::") {
            let line = self.code[..at].matches('\n').count() + 1;
            let behind = &self.code[at + "crate::".len()..];
            match behind.strip_prefix('{') {
                Some(list) => found.extend(heads(list).into_iter().map(|it| (line, it))),
                None => found.push((line, identifier(behind))),
            }
        }
        found
    }
}

/// A needle that starts with a letter starts a word.
fn holds(line: &str, needle: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(needle)
        .any(|(at, _)| !needle.starts_with(word) || !line[..at].ends_with(word))
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The first names of a use list's entries, up to the brace that closes it.
fn heads(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut found = Vec::new();
    let mut fresh = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && (c.is_alphanumeric() || c == '_') => {
                found.push(identifier(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// All files below `folder` that end so, hidden folders and build products aside.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | "corpus" | "data") && !name.starts_with(".g")
        {
            found.extend(files(&path, endings));
        } else if name
            .rsplit('.')
            .next()
            .is_some_and(|ending| endings.contains(&ending))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every file of `src` that is not a test module's own.
fn sources() -> Vec<Source> {
    let root = root();
    let mut all = Vec::new();
    for file in files(&root.join("src"), &["rs"]) {
        let path = file
            .strip_prefix(&root)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        let raw = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
        all.push(Source {
            path,
            code: blanked(&raw),
            raw,
        });
    }
    let tests: BTreeSet<String> = all.iter().flat_map(test_files).collect();
    for source in &mut all {
        source.code = without_tests(&source.code);
    }
    all.retain(|source| {
        !tests
            .iter()
            .any(|test| source.path.starts_with(test.as_str()))
    });
    all
}

/// The files behind `#[cfg(test)] mod name;`.
fn test_files(source: &Source) -> Vec<String> {
    let stem = source
        .path
        .strip_suffix("/mod.rs")
        .or(source.path.strip_suffix(".rs"));
    let mut folder = stem.unwrap_or(&source.path).to_owned();
    if matches!(source.room().as_str(), "lib" | "main") {
        folder = "src".to_owned();
    }
    let mut found = Vec::new();
    for (at, mark) in source.code.match_indices("#[cfg(test)]") {
        let behind = source.code[at + mark.len()..].trim_start();
        let behind = behind.strip_prefix("pub ").unwrap_or(behind);
        let behind = behind.strip_prefix("pub(crate) ").unwrap_or(behind);
        if let Some(name) = behind.strip_prefix("mod ").map(identifier)
            && behind[4 + name.len()..].starts_with(';')
        {
            found.push(format!("{folder}/{name}.rs"));
            found.push(format!("{folder}/{name}/"));
        }
    }
    found
}

/// The code with `#[cfg(test)]` items blanked.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let marks: Vec<usize> = code
        .match_indices("#[cfg(test)]")
        .map(|(at, _)| at)
        .collect();
    for at in marks {
        let mut depth = 0;
        let mut end = code.len();
        for (offset, c) in code[at..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(c, '}' | ';') {
                end = at + offset + 1;
                break;
            }
        }
        let blank: String = code[at..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(at..end, &format!("{blank:<width$}", width = end - at));
    }
    out
}

/// The text with comments, strings and characters blanked, octet for octet; line ends stay.
fn blanked(text: &str) -> String {
    let octets = text.as_bytes();
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        let len = hidden(&octets[at..], out.last().copied());
        if len == 0 {
            out.push(if octets[at].is_ascii() {
                octets[at]
            } else {
                b' '
            });
            at += 1;
            continue;
        }
        out.extend(
            octets[at..at + len]
                .iter()
                .map(|&b| if b == b'\n' { b'\n' } else { b' ' }),
        );
        at += len;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How many octets of comment or literal start here.
fn hidden(rest: &[u8], before: Option<u8>) -> usize {
    let word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => rest
            .windows(2)
            .position(|w| w == b"*/")
            .map_or(rest.len(), |end| end + 2),
        [b'r', b'"' | b'#', ..] if !word || before == Some(b'b') => raw_string(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', c, b'\'', ..] if c.is_ascii() => 3,
        [b'\'', c, ..] if !c.is_ascii() => quoted(rest, b'\''),
        _ => 0,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end = [&b"\""[..], &rest[1..1 + hashes]].concat();
    let body = 2 + hashes;
    let found = rest[body..].windows(end.len()).position(|w| w == end);
    found.map_or(rest.len(), |at| body + at + end.len())
}

/// Every `RFC nnnn` with its line.
fn citations(text: &str) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for (start, _) in line.match_indices("RFC ") {
            let digits = line[start + 4..]
                .chars()
                .take_while(char::is_ascii_digit)
                .count();
            if let Ok(number) = line[start + 4..start + 4 + digits].parse() {
                found.push((at + 1, number));
            }
        }
    }
    found
}

/// One row of `tests/rfc.tsv`.
struct Row {
    title: String,
    status: String,
    /// Files with the tests, from the crate's root.
    tests: Vec<String>,
}

fn table() -> BTreeMap<u32, Row> {
    let text = read("tests/rfc.tsv");
    let rows = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let mut cells = line.split('\t').map(str::to_owned);
        let mut cell = || {
            cells
                .next()
                .unwrap_or_else(|| panic!("rfc.tsv: short row: {line}"))
        };
        let number = cell()
            .parse()
            .unwrap_or_else(|_| panic!("rfc.tsv: no number: {line}"));
        let (title, status) = (cell(), cell());
        let tests = cell().split_whitespace().map(str::to_owned).collect();
        (
            number,
            Row {
                title,
                status,
                tests,
            },
        )
    })
    .collect()
}

const HEAD: [&str; 2] = ["| RFC | title | served | tested in |", "|---|---|---|---|"];

/// The table as README.md shows it.
fn markdown() -> String {
    let mut out = HEAD.map(|line| format!("{line}\n")).concat();
    for (number, row) in table() {
        let tests: Vec<_> = row.tests.iter().map(|it| format!("`{it}`")).collect();
        let tests = tests.join(" ");
        out.push_str(&format!(
            "| {number} | {} | {} | {tests} |\n",
            row.title, row.status
        ));
    }
    out
}

#[test]
fn the_blanker_blanks() {
    let code = blanked("a // x.unwrap()\n\"b\\\"\" 'c' '\\'' r#\"d\"# 'static /* e */ f");
    for gone in ["unwrap", "b", "'c", "d\"", "e *"] {
        assert!(!code.contains(gone), "{gone} in {code}");
    }
    assert!(code.contains("'static") && code.ends_with('f'), "{code}");
    let code = without_tests("a; #[cfg(test)] mod tests { b { } } c; #[cfg(test)] use d; e");
    assert!(!code.contains('b') && !code.contains('d'), "{code}");
    assert!(code.contains('c') && code.contains('e'), "{code}");
    assert_eq!(heads("a::{b, c}, d, e::f}; g"), ["a", "d", "e"]);
}
