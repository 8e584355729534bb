//! What the store lies on: file system, medium, and how worn it is, where the kernel tells.
use super::Report;
use std::fs::{canonicalize, read_to_string};
use std::path::{Path, PathBuf};

/// A line each: `fs ext4`, `life 3`, and so on, of the file at `db`; `root` is `/` but in tests.
pub fn facts(db: &Path, root: &Path) -> Vec<String> {
    let mounts = read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let path = canonicalize(db).unwrap_or_else(|_| db.to_owned());
    let Some((device, fs, source)) = mount(&mounts, &path) else {
        return Vec::new();
    };
    let mut facts = vec![["fs ", fs].concat()];
    let volume = source.strip_prefix("/dev/").unwrap_or(source);
    if let Some(ubi) = volume
        .split([':', '_'])
        .next()
        .filter(|it| it.starts_with("ubi"))
    {
        let of = root.join("sys/class/ubi").join(ubi);
        facts.extend(number(&of, "bad_peb_count").map(|n| format!("bad {n}")));
        facts.extend(number(&of, "reserved_for_bad").map(|n| format!("spare {n}")));
        facts.extend(number(&of, "max_ec").map(|n| format!("erased {n}")));
    }
    if let Some(disk) = disk(root, device) {
        let name = disk.file_name().unwrap_or_default();
        facts.push(["disk ", &name.to_string_lossy()].concat());
        // eMMC 5.0, JESD84-B50 §7.4.47 and §7.4.48.
        let life = read_to_string(disk.join("device/life_time")).unwrap_or_default();
        let most = life.split_ascii_whitespace().filter_map(hex).max();
        facts.extend(most.map(|n| format!("life {n}")));
        let end = read_to_string(disk.join("device/pre_eol_info")).unwrap_or_default();
        facts.extend(hex(end.trim()).map(|n| format!("end {n}")));
    }
    facts
}

/// Device, type and source of the file system that a path is on (proc_pid_mountinfo(5)): of the longest mount
/// point, the last one.
fn mount<'a>(mounts: &'a str, path: &Path) -> Option<(&'a str, &'a str, &'a str)> {
    let mut best = (0, None);
    for line in mounts.lines() {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(2);
        let (device, point) = (left.next()?, left.nth(1)?.replace("\\040", " "));
        let mut right = right.split(' ');
        if path.starts_with(&point) && point.len() >= best.0 {
            best = (point.len(), Some((device, right.next()?, right.next()?)));
        }
    }
    best.1
}

/// The whole disk of a block device's number.
fn disk(root: &Path, device: &str) -> Option<PathBuf> {
    let path = canonicalize(root.join("sys/dev/block").join(device)).ok()?;
    match path.join("partition").exists() {
        true => path.parent().map(Path::to_owned),
        false => Some(path),
    }
}

fn number(folder: &Path, name: &str) -> Option<u64> {
    read_to_string(folder.join(name)).ok()?.trim().parse().ok()
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Judges those lines.
pub(super) fn check(facts: &[String], report: &mut Report) {
    let of = |word: &str| {
        let value = |line: &String| Some(line.strip_prefix(word)?.trim_start().to_owned());
        facts.iter().find_map(value)
    };
    let number = |word: &str| of(word).and_then(|it| it.parse::<u64>().ok());
    let Some(fs) = of("fs ") else { return };
    let what = &["file system"];
    match fs.as_str() {
        "tmpfs" | "ramfs" | "rootfs" => report.wrong(
            what,
            &[&fs, ", in RAM"],
            &["Everything is lost at a reboot: move the store to a disk."],
        ),
        "vfat" | "exfat" | "ntfs" | "ntfs3" | "fuseblk" => report.wrong(
            what,
            &[&fs],
            &["It has no owners and no journal: use ext4 or f2fs on that disk."],
        ),
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "fuse" => report.note(
            what,
            &[&fs, ", over the network"],
            &["A flush is only as good as the other machine makes it; a disk of its own is safer."],
        ),
        "overlay" | "jffs2" | "ubifs" | "squashfs" => report.note(
            what,
            &[&fs],
            &["On a router that is its own flash, which a firmware upgrade wipes: a USB stick or disk is better."],
        ),
        _ => report.ok(what, &[&fs]),
    }
    let disk = of("disk ").unwrap_or_default();
    let what = &["flash wear", disk.as_str()];
    let move_it = "Make a backup now (`pillarbox backup`), and move the store to another medium.";
    if let Some(life) = number("life ") {
        let used = match life {
            0 => "not known to the medium".to_owned(),
            1..=10 => format!(
                "{} to {} % of its life are used",
                (life - 1) * 10,
                life * 10
            ),
            _ => "it has outlived what its maker promises".to_owned(),
        };
        match life > 9 || number("end ").is_some_and(|end| end > 1) {
            true => report.wrong(what, &[&used], &[move_it]),
            false => report.ok(what, &[&used]),
        }
    }
    if let (Some(bad), Some(spare)) = (number("bad "), number("spare ")) {
        let erased = number("erased ").unwrap_or(0);
        let found = format!("{bad} bad blocks, {spare} in reserve, erased {erased} times at most");
        match spare == 0 {
            true => report.wrong(what, &[&found], &[move_it]),
            false => report.ok(what, &[&found]),
        }
    } else if number("life ").is_none() {
        report.note(what, &["the kernel does not tell it for this medium"], &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;
    use std::fs;

    /// A machine with these mounts and files, and what is said of a store at /mnt/a b/mail.redb there.
    fn machine(
        name: &str,
        mounts: &str,
        files: &[(&str, &str)],
    ) -> (Vec<String>, Vec<(Grade, String)>) {
        let root = std::env::temp_dir().join(format!("pillarbox-{name}-{}", std::process::id()));
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("proc/self/mountinfo", mounts);
        for (path, text) in files {
            put(path, text);
        }
        let block = root.join("sys/dev/block");
        fs::create_dir_all(&block).unwrap();
        let part = root.join("sys/devices/mmcblk0/mmcblk0p2");
        if part.exists() {
            std::os::unix::fs::symlink(&part, block.join("179:2")).unwrap();
        }
        let facts = facts(Path::new("/mnt/a b/mail.redb"), &root);
        fs::remove_dir_all(root).unwrap();
        let mut report = Report::default();
        check(&facts, &mut report);
        let said = report
            .0
            .iter()
            .map(|it| (it.grade, format!("{}: {}", it.what, it.found)));
        let said = said.collect();
        (facts, said)
    }

    const ROOT: &str = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n";

    #[test]
    fn emmc() {
        let mounts = [
            ROOT,
            "30 22 179:2 / /mnt/a\\040b rw,noatime shared:1 - f2fs /dev/mmcblk0p2 rw\n",
        ]
        .concat();
        let disk = |life, end| {
            let files = [
                ("sys/devices/mmcblk0/mmcblk0p2/partition", "2\n"),
                ("sys/devices/mmcblk0/device/life_time", life),
                ("sys/devices/mmcblk0/device/pre_eol_info", end),
            ];
            machine("emmc", &mounts, &files)
        };
        let (facts, said) = disk("0x01 0x03\n", "0x01\n");
        assert_eq!(facts, ["fs f2fs", "disk mmcblk0", "life 3", "end 1"]);
        let fine = "flash wear mmcblk0: 20 to 30 % of its life are used";
        assert_eq!(
            said,
            [
                (Grade::Ok, "file system: f2fs".into()),
                (Grade::Ok, fine.into())
            ]
        );
        for (life, end) in [
            ("0x01 0x0b", "0x01"),
            ("0x0a 0x01", "0x01"),
            ("0x01 0x01", "0x02"),
        ] {
            assert_eq!(disk(life, end).1[1].0, Grade::Wrong, "{life} {end}");
        }
    }

    #[test]
    fn ubi() {
        let mounts = [ROOT, "30 22 0:13 / /mnt rw - ubifs ubi0:data rw\n"].concat();
        let disk = |spare| {
            let files = [
                ("sys/class/ubi/ubi0/bad_peb_count", "2\n"),
                ("sys/class/ubi/ubi0/reserved_for_bad", spare),
                ("sys/class/ubi/ubi0/max_ec", "345\n"),
            ];
            machine("ubi", &mounts, &files).1
        };
        let (grade, said) = disk("18\n").remove(1);
        assert_eq!(grade, Grade::Ok);
        assert!(
            said.contains("2 bad blocks, 18 in reserve, erased 345 times"),
            "{said}"
        );
        assert_eq!(disk("0\n")[1].0, Grade::Wrong);
    }

    #[test]
    fn others() {
        let on = |fs: &str| {
            machine(
                "others",
                &[ROOT, "30 22 0:9 / /mnt rw - ", fs, " x rw\n"].concat(),
                &[],
            )
            .1
        };
        assert_eq!(on("tmpfs")[0].0, Grade::Wrong);
        assert_eq!(on("vfat")[0].0, Grade::Wrong);
        assert_eq!(on("overlay")[0].0, Grade::Note);
        assert_eq!(on("nfs4")[0].0, Grade::Note);
        let (grade, said) = on("btrfs").remove(1);
        assert_eq!(grade, Grade::Note);
        assert!(said.contains("does not tell"), "{said}");
        // Nothing is known: nothing is said.
        assert!(machine("none", "odd", &[]).1.is_empty());
        assert!(mount(ROOT, Path::new("relative")).is_none());
    }
}
