//! Says what a binary was built from, for `pillarbox --version`.
//!
//! `PILLARBOX_BUILD` becomes the target, behind the commit where one is known: `$PILLARBOX_REVISION`
//! if a packager sets it, else what git says of a release build in a checkout. Daily builds ask no
//! git, so that a commit does not build everything anew. The same sources give the same octets.
use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PILLARBOX_REVISION");
    let target = env::var("TARGET").unwrap_or_default();
    let revision = env::var("PILLARBOX_REVISION").ok().or_else(checkout);
    let build = match revision.filter(|revision| is_plain(revision)) {
        Some(revision) => format!("{revision}, {target}"),
        None => target,
    };
    println!("cargo::rustc-env=PILLARBOX_BUILD={build}");
    times();
}

/// Where the libc crate and rustix do not mean the same by a time, no timer fires: `.cargo/config.toml`.
fn times() {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|it| it == value);
    let said = [
        "CARGO_CFG_LIBC_UNSTABLE_MUSL_V1_2",
        "RUST_LIBC_UNSTABLE_MUSL_V1_2_3",
    ];
    if is("CARGO_CFG_TARGET_ENV", "musl")
        && is("CARGO_CFG_TARGET_ARCH", "mips")
        && said.iter().all(|name| env::var_os(name).is_none())
    {
        println!("cargo::error=MIPS with musl needs --cfg=libc_unstable_musl_v1_2 in RUSTFLAGS");
    }
}

/// The commit of the checkout that a release is built from.
fn checkout() -> Option<String> {
    if env::var("PROFILE").ok()? != "release" {
        return None;
    }
    let git = |arguments: &[&str]| {
        let out = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(out.stdout).ok()?;
        out.status.success().then(|| text.trim().to_owned())
    };
    // Of this project, not of a tree that the sources were unpacked in.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if top != env::var("CARGO_MANIFEST_DIR").ok()? {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        println!("cargo::rerun-if-changed={path}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// Nothing that could break a line of output.
fn is_plain(revision: &str) -> bool {
    !revision.is_empty() && revision.len() <= 64 && revision.chars().all(|c| c.is_ascii_graphic())
}
