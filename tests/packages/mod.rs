//! What is packaged: scripts, units, archives. Where a tool is missing, a test says so and is skipped.
use crate::harness::TempDir;
use pillarbox::config::Role;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// Runs a program of this machine or a script of the project: exit code, and what it printed.
fn run(program: &str, args: &[&str]) -> (i32, String) {
    let done = Command::new(program)
        .args(args)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("LC_ALL", "C")
        .current_dir(root())
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (done.status.code().unwrap_or(-1), text)
}

#[track_caller]
fn runs(program: &str, args: &[&str]) -> String {
    let (code, text) = run(program, args);
    assert_eq!(code, 0, "{program} {args:?}: {text}");
    text
}

/// Whether all these are installed; says what is not, past the test runner's capture.
fn have(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &&&str| std::env::split_paths(&path).any(|dir| dir.join(program).exists());
    let missing = programs.iter().find(|program| !is_there(program));
    if let Some(program) = missing {
        let _ = writeln!(std::io::stderr(), "skipped: {program} is not installed");
    }
    missing.is_none()
}

/// As much of a program for another machine as the packers look at.
fn program_for(dir: &Path, machine: u8) -> String {
    let mut elf = vec![0; 64];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[18] = machine;
    let path = dir.join(format!("program-{machine}"));
    fs::write(&path, elf).unwrap();
    path.to_string_lossy().into_owned()
}

const X86_64: u8 = 62;
const AARCH64: u8 = 183;
const ARM: u8 = 40;

#[test]
fn scripts_are_clean() {
    if !have(&["shellcheck"]) {
        return;
    }
    let scripts = [
        ".ci/run",
        ".ci/size",
        "openwrt/files/pillarbox.defaults",
        "openwrt/files/pillarbox.init",
        "openwrt/pack",
        "packaging/deb/build",
        "packaging/deb/postinst",
        "packaging/deb/postrm",
        "packaging/deb/prerm",
        "packaging/raspberry-pi/install",
        "packaging/raspberry-pi/prepare",
        "tests/deb/run",
        "tests/openwrt/run",
        "tests/smoke/run",
    ];
    runs("shellcheck", &scripts);
}

/// `.ci/size` beside budgets of its own, and with a compiler that only says its version.
#[test]
fn a_binary_that_grew_is_refused() {
    if !have(&["awk", "stat"]) {
        return;
    }
    let dir = TempDir::new();
    let inside = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    fs::create_dir(inside(".ci")).unwrap();
    fs::copy(root().join(".ci/size"), inside(".ci/size")).unwrap();
    fs::write(
        inside(".ci/size.tsv"),
        "target\trustc\toctets\twhy\na\t1.0.0\t1000\tfirst\n",
    )
    .unwrap();
    let size = |version: &str, args: &[&str]| {
        // Written by another process: one that this process has open for writing, and another thread's
        // child with it, cannot be run.
        let write = "printf '#!/bin/sh\\necho rustc %s\\n' \"$1\" >\"$0\"; chmod 755 \"$0\"";
        runs("sh", &["-c", write, &inside("rustc"), version]);
        let set = format!("RUSTC={}", inside("rustc"));
        let script = inside(".ci/size");
        run("env", &[&[&set[..], "bash", &script], args].concat())
    };
    let binary = inside("binary");
    for (octets, code) in [(990, 0), (1010, 0), (1011, 1)] {
        fs::write(&binary, vec![0; octets]).unwrap();
        let (ended, said) = size("1.0.0", &["a", &binary]);
        assert_eq!(ended, code, "{octets}: {said}");
    }
    let (code, said) = size("1.0.1", &["a", &binary]);
    assert!(code == 0 && said.starts_with("not compared: "), "{said}");
    let (code, said) = size("1.0.0", &["b", &binary]);
    assert!(code == 0 && said.starts_with("not compared: "), "{said}");
    let (code, said) = size("1.0.0", &["--record", "a", &binary]);
    assert_eq!(code, 2, "without a reason: {said}");
    let (code, said) = size("1.0.1", &["--record", "a", &binary, "more"]);
    assert_eq!(code, 0, "{said}");
    let rows = fs::read_to_string(inside(".ci/size.tsv")).unwrap();
    assert_eq!(rows, "target\trustc\toctets\twhy\na\t1.0.1\t1011\tmore\n");
}

/// tests/openwrt/cases: what procd is told for each configuration.
#[test]
fn openwrt_tells_procd() {
    if have(&["awk"]) {
        runs("tests/openwrt/run", &[]);
    }
}

#[test]
fn an_ipk_is_what_opkg_reads() {
    if !have(&["tar", "gzip", "od"]) {
        return;
    }
    let dir = TempDir::new();
    let out = dir.path().to_string_lossy().into_owned();
    let program = program_for(dir.path(), AARCH64);
    let pack = || runs("openwrt/pack", &[&program, "aarch64_generic", "ipk", &out]);
    let said = pack();
    let file = said.split(' ').next().unwrap();
    assert!(file.ends_with("-r1_aarch64_generic.ipk"), "{file}");
    let octets = fs::read(file).unwrap();
    pack();
    assert_eq!(octets, fs::read(file).unwrap(), "not reproducible");

    let members = runs("tar", &["-tzf", file]);
    assert_eq!(
        members.lines().collect::<Vec<_>>(),
        ["./debian-binary", "./data.tar.gz", "./control.tar.gz"]
    );
    runs("tar", &["-xzf", file, "-C", &out]);
    let inside = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    assert_eq!(fs::read(inside("debian-binary")).unwrap(), b"2.0\n");
    let data = runs("tar", &["-tvzf", &inside("data.tar.gz")]);
    for wanted in [
        "-rwxr-xr-x 0/0",
        "./usr/bin/pillarbox",
        "./etc/init.d/pillarbox",
        "./etc/config/pillarbox",
        "./etc/capabilities/pillarbox.json",
        "./etc/uci-defaults/50-pillarbox",
        "./lib/upgrade/keep.d/pillarbox",
    ] {
        assert!(data.contains(wanted), "no {wanted} in {data}");
    }
    runs("tar", &["-xzf", &inside("control.tar.gz"), "-C", &out]);
    let control = fs::read_to_string(inside("control")).unwrap();
    for wanted in [
        "Package: pillarbox\n",
        "Architecture: aarch64_generic\n",
        "Require-User: pillarbox:pillarbox\n",
    ] {
        assert!(control.contains(wanted), "no {wanted} in {control}");
    }
    let kept = fs::read_to_string(inside("conffiles")).unwrap();
    assert_eq!(kept, "/etc/config/pillarbox\n");
    let (code, said) = run("openwrt/pack", &[&program, "mipsel_24kc", "ipk", &out]);
    assert_eq!(code, 2, "a program of another machine: {said}");
}

#[test]
fn a_deb_is_what_dpkg_reads() {
    if !have(&["dpkg-deb", "xz", "od"]) {
        return;
    }
    let dir = TempDir::new();
    let out = dir.path().to_string_lossy().into_owned();
    for (machine, kind, name, arch) in [
        (X86_64, "amd64", "pillarbox", "amd64"),
        (AARCH64, "arm64", "pillarbox", "arm64"),
        (ARM, "armhf", "pillarbox", "armhf"),
        (ARM, "armv6", "pillarbox-armv6", "armhf"),
    ] {
        let program = program_for(dir.path(), machine);
        let build = || runs("packaging/deb/build", &[&program, kind, &out]);
        let said = build();
        let file = said.split(' ').next().unwrap();
        let octets = fs::read(file).unwrap();
        build();
        assert_eq!(
            octets,
            fs::read(file).unwrap(),
            "{kind} is not reproducible"
        );
        let fields = runs("dpkg-deb", &["--field", file, "Package", "Architecture"]);
        assert_eq!(fields, format!("Package: {name}\nArchitecture: {arch}\n"));
        let files = runs("dpkg-deb", &["--contents", file]);
        assert!(files.starts_with("drwxr-xr-x "), "{files}");
        for line in files.lines() {
            assert!(line.contains(" root/root "), "{line}");
        }
        for wanted in [
            "./usr/bin/pillarbox\n",
            "./etc/default/pillarbox\n",
            "./usr/lib/systemd/system/pillarbox.service\n",
            "./usr/lib/systemd/system/pillarbox.socket\n",
            "./usr/lib/sysusers.d/pillarbox.conf\n",
            "./usr/lib/tmpfiles.d/pillarbox.conf\n",
        ] {
            assert!(files.contains(wanted), "no {wanted} in {files}");
        }
        let conffiles = runs("dpkg-deb", &["--info", file, "conffiles"]);
        assert_eq!(conffiles, "/etc/default/pillarbox\n");
    }
    let program = program_for(dir.path(), ARM);
    let (code, said) = run("packaging/deb/build", &[&program, "arm64", &out]);
    assert_eq!(code, 2, "a program of another machine: {said}");
}

/// `systemd-analyze security` calls anything below 2.0 OK.
#[test]
fn the_unit_is_hardened() {
    if !have(&["systemd-analyze"]) {
        return;
    }
    let unit = "systemd/pillarbox.service";
    let options = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    runs("systemd-analyze", &[&options[..], &[unit]].concat());
}

/// The socket unit has the ports that `serve` binds when no flag says otherwise.
#[test]
fn the_socket_unit_has_the_ports() {
    let unit = fs::read_to_string(root().join("systemd/pillarbox.socket")).unwrap();
    let listed: Vec<u16> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("ListenStream=")?.parse().ok())
        .collect();
    let usual = Role::ALL.iter().filter(|role| role.is_usual());
    assert_eq!(listed, usual.map(|role| role.port()).collect::<Vec<_>>());
}
