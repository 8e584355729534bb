//! A disk that loses power, runs full or breaks, at a chosen moment.
//!
//! It keeps the image that is safe and the writes since the last sync. When the power goes, each
//! sector of those writes is kept or lost by itself: writes are torn and reordered.
//!
//! A [`Directory`] of such files loses names, too: of what was done to them since its last sync each
//! step is kept or lost by itself, only that a renamed file stands in another's place or does not.
use super::random::Random;
use pillarbox::store::{Disk, Folder, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Allocation unit, as a file system has it.
const BLOCK: u64 = 4096;

/// What goes wrong, when its moment has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The power: nothing works any more.
    Cut,
    /// Writes and growth find no space, until [`Medium::mend`].
    Full,
    /// Blocks never written before find no space, until [`Medium::mend`]; others can be rewritten.
    NoNewBlocks,
    /// This one write, sync or growth fails; the next works.
    OneWrite,
    /// This one read fails.
    OneRead,
    /// Everything fails until [`Medium::mend`].
    Dead,
}

/// Counts of what was asked of the disk.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Counts {
    pub reads: u64,
    pub octets_read: u64,
    pub writes: u64,
    pub octets: u64,
    pub syncs: u64,
}

enum Unsynced {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// What all files of a machine share.
#[derive(Default)]
struct Power {
    /// Events until the fault, and which one.
    armed: Option<(u64, Fault)>,
    fault: Option<Fault>,
    /// Writes, growths, syncs and changes of names.
    events: u64,
    /// A sync that does nothing, for the control.
    lies: bool,
}

impl Power {
    /// Counts down to the fault.
    fn event(&mut self, read: bool) -> io::Result<()> {
        self.events += u64::from(!read);
        let Some((left, fault)) = self.armed else {
            return match self.fault {
                Some(Fault::Cut | Fault::Dead) => Err(broken()),
                _ => Ok(()),
            };
        };
        if read == (fault == Fault::OneRead) {
            if left > 0 {
                self.armed = Some((left - 1, fault));
                return Ok(());
            }
            self.armed = None;
            if matches!(fault, Fault::OneWrite | Fault::OneRead) {
                return Err(broken());
            }
            self.fault = Some(fault);
            // The write that meets the cut may be on the medium in part.
            return match fault {
                Fault::Dead => Err(broken()),
                _ => Ok(()),
            };
        }
        Ok(())
    }

    fn is_off(&self) -> bool {
        matches!(self.fault, Some(Fault::Cut | Fault::Dead))
    }
}

type Mains = Arc<Mutex<Power>>;

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().expect("no panic holds the disk")
}

struct Inner {
    power: Mains,
    synced: Vec<u8>,
    current: Vec<u8>,
    unsynced: Vec<Unsynced>,
    blocks: BTreeSet<u64>,
    counts: Counts,
    /// Octets that the file system says are left.
    free: Option<u64>,
}

/// One disk from power-on to power-off.
pub struct Medium(Mutex<Inner>);

impl Medium {
    pub fn new(image: Vec<u8>) -> Arc<Medium> {
        Medium::on(Mains::default(), image)
    }

    fn on(power: Mains, image: Vec<u8>) -> Arc<Medium> {
        let blocks = image
            .chunks(BLOCK as usize)
            .enumerate()
            .filter(|(_, block)| block.iter().any(|&b| b != 0))
            .map(|(n, _)| n as u64)
            .collect();
        Arc::new(Medium(Mutex::new(Inner {
            power,
            synced: image.clone(),
            current: image,
            unsynced: Vec::new(),
            blocks,
            counts: Counts::default(),
            free: None,
        })))
    }

    /// One whose sync does nothing.
    pub fn lying(image: Vec<u8>) -> Arc<Medium> {
        let medium = Medium::new(image);
        lock(&medium.inner().power).lies = true;
        medium
    }

    /// An empty store on a fresh disk.
    pub fn formatted() -> Arc<Medium> {
        let medium = Medium::new(Vec::new());
        pillarbox::store::format(medium.handle()).expect("formats");
        medium
    }

    pub fn handle(self: &Arc<Self>) -> Arc<dyn Disk> {
        Arc::new(Handle(self.clone()))
    }

    pub fn source(self: &Arc<Self>) -> Arc<dyn Source> {
        Arc::new(From(self.clone()))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic holds the disk")
    }

    /// The fault comes with the `after`-th write, sync or growth from now (for
    /// [`Fault::OneRead`]: read).
    pub fn arm(&self, after: u64, fault: Fault) {
        lock(&self.inner().power).armed = Some((after, fault));
    }

    /// The power goes now.
    pub fn cut(&self) {
        lock(&self.inner().power).fault = Some(Fault::Cut);
    }

    /// Ends a fault.
    pub fn mend(&self) {
        let inner = self.inner();
        let mut power = lock(&inner.power);
        assert_ne!(power.fault, Some(Fault::Cut), "what lost power stays off");
        (power.fault, power.armed) = (None, None);
    }

    /// Is the power gone?
    pub fn is_cut(&self) -> bool {
        self.inner().is_cut()
    }

    /// Has the fault that was armed come?
    pub fn met(&self) -> bool {
        lock(&self.inner().power).armed.is_none()
    }

    /// Says how much is left.
    pub fn set_free(&self, octets: u64) {
        self.inner().free = Some(octets);
    }

    pub fn counts(&self) -> Counts {
        self.inner().counts
    }

    /// The image that a process sees.
    pub fn image(&self) -> Vec<u8> {
        self.inner().current.clone()
    }

    /// What is left after the power went: of the unsynced sectors of `sector` octets, `keep` of a
    /// hundred.
    pub fn survivor(&self, sector: usize, keep: u64, random: &mut Random) -> Vec<u8> {
        let inner = self.inner();
        let mut image = inner.synced.clone();
        for event in &inner.unsynced {
            match event {
                Unsynced::Length(length) => {
                    if random.percent(keep) {
                        image.resize(*length, 0);
                    }
                }
                Unsynced::Write(offset, data) => {
                    let mut at = 0;
                    while at < data.len() {
                        let end = (sector - (offset + at) % sector).min(data.len() - at) + at;
                        if random.percent(keep) {
                            if image.len() < offset + end {
                                image.resize(offset + end, 0);
                            }
                            image[offset + at..offset + end].copy_from_slice(&data[at..end]);
                        }
                        at = end;
                    }
                }
            }
        }
        image
    }
}

fn full() -> io::Error {
    ErrorKind::StorageFull.into()
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken")
}

impl Inner {
    fn event(&mut self, read: bool) -> io::Result<()> {
        lock(&self.power).event(read)
    }

    fn fault(&self) -> Option<Fault> {
        lock(&self.power).fault
    }

    fn is_cut(&self) -> bool {
        self.fault() == Some(Fault::Cut)
    }
}

#[derive(Clone)]
struct Handle(Arc<Medium>);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a disk of the tests")
    }
}

impl Disk for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.inner().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut inner = self.0.inner();
        inner.event(true)?;
        if matches!(inner.fault(), Some(Fault::Cut | Fault::Dead)) {
            return Err(broken());
        }
        inner.counts.reads += 1;
        inner.counts.octets_read += out.len() as u64;
        let from = usize::try_from(offset).expect("small");
        let data = inner.current.get(from..from + out.len());
        out.copy_from_slice(data.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.0.inner();
        inner.event(false)?;
        let blocks = offset / BLOCK..(offset + data.len() as u64).div_ceil(BLOCK);
        match inner.fault() {
            Some(Fault::Full) => return Err(full()),
            Some(Fault::NoNewBlocks) if !blocks.clone().all(|b| inner.blocks.contains(&b)) => {
                return Err(full());
            }
            _ => {}
        }
        inner.counts.writes += 1;
        inner.counts.octets += data.len() as u64;
        inner.blocks.extend(blocks);
        let from = usize::try_from(offset).expect("small");
        if inner.current.len() < from + data.len() {
            inner.current.resize(from + data.len(), 0);
        }
        inner.current[from..from + data.len()].copy_from_slice(data);
        inner.unsynced.push(Unsynced::Write(from, data.to_vec()));
        if inner.is_cut() {
            return Err(broken());
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.0.inner();
        inner.event(false)?;
        if inner.fault() == Some(Fault::Full) {
            return Err(full());
        }
        let len = usize::try_from(len).expect("small");
        inner.current.resize(len, 0);
        inner.unsynced.push(Unsynced::Length(len));
        if inner.is_cut() {
            return Err(broken());
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.0.inner();
        inner.event(false)?;
        if inner.is_cut() {
            return Err(broken());
        }
        inner.counts.syncs += 1;
        if lock(&inner.power).lies {
            return Ok(());
        }
        let Inner {
            synced, unsynced, ..
        } = &mut *inner;
        for event in unsynced.drain(..) {
            match event {
                Unsynced::Length(length) => synced.resize(length, 0),
                Unsynced::Write(at, data) => {
                    if synced.len() < at + data.len() {
                        synced.resize(at + data.len(), 0);
                    }
                    synced[at..at + data.len()].copy_from_slice(&data);
                }
            }
        }
        Ok(())
    }
}

struct From(Arc<Medium>);

impl Source for From {
    fn open(&self) -> io::Result<Arc<dyn Disk>> {
        match self.0.inner().fault() {
            Some(Fault::Cut | Fault::Dead) => Err(broken()),
            _ => Ok(self.0.handle()),
        }
    }
    fn len(&self) -> u64 {
        self.0.inner().current.len() as u64
    }
    fn free(&self) -> Option<u64> {
        self.0.inner().free
    }
}

/// What happened to names; one of a list after the other, the first is never missing alone.
enum Step {
    Link(PathBuf, Arc<Medium>),
    Unlink(PathBuf),
}

#[derive(Default)]
struct Names {
    current: BTreeMap<PathBuf, Arc<Medium>>,
    synced: BTreeMap<PathBuf, Arc<Medium>>,
    unsynced: Vec<Vec<Step>>,
}

/// A directory from power-on to power-off.
#[derive(Clone, Default)]
pub struct Directory {
    power: Mains,
    names: Arc<Mutex<Names>>,
}

fn step(names: &mut BTreeMap<PathBuf, Arc<Medium>>, step: &Step) {
    match step {
        Step::Link(path, file) => drop(names.insert(path.clone(), file.clone())),
        Step::Unlink(path) => drop(names.remove(path)),
    }
}

impl Directory {
    /// With these files.
    pub fn new(files: &BTreeMap<PathBuf, Vec<u8>>) -> Directory {
        let directory = Directory::default();
        for (path, image) in files {
            let file = Medium::on(directory.power.clone(), image.clone());
            let mut names = lock(&directory.names);
            names.synced.insert(path.clone(), file.clone());
            names.current.insert(path.clone(), file);
        }
        directory
    }

    /// The power goes with the `after`-th event from now.
    pub fn arm(&self, after: u64) {
        lock(&self.power).armed = Some((after, Fault::Cut));
    }

    pub fn cut(&self) {
        lock(&self.power).fault = Some(Fault::Cut);
    }

    /// From now on no sync does anything.
    pub fn lie(&self) {
        lock(&self.power).lies = true;
    }

    pub fn is_cut(&self) -> bool {
        lock(&self.power).is_off()
    }

    pub fn events(&self) -> u64 {
        lock(&self.power).events
    }

    /// What a process sees in a file.
    pub fn image(&self, path: &Path) -> Option<Vec<u8>> {
        let file = lock(&self.names).current.get(path).cloned();
        file.map(|file| file.image())
    }

    /// What is left after the power went, as [`Medium::survivor`].
    pub fn survivor(
        &self,
        sector: usize,
        keep: u64,
        random: &mut Random,
    ) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = lock(&self.names);
        let Names {
            synced, unsynced, ..
        } = &mut *names;
        for steps in unsynced.drain(..) {
            if !random.percent(keep) {
                continue;
            }
            for (n, it) in steps.iter().enumerate() {
                if n == 0 || random.percent(80) {
                    step(synced, it);
                }
            }
        }
        let files = synced.iter();
        files
            .map(|(path, file)| (path.clone(), file.survivor(sector, keep, random)))
            .collect()
    }

    /// Does something to names.
    fn change(&self, steps: Vec<Step>) -> io::Result<()> {
        lock(&self.power).event(false)?;
        let mut names = lock(&self.names);
        for it in &steps {
            step(&mut names.current, it);
        }
        names.unsynced.push(steps);
        match self.is_cut() {
            true => Err(broken()),
            false => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<Arc<Medium>> {
        let found = lock(&self.names).current.get(path).cloned();
        found.ok_or(ErrorKind::NotFound.into())
    }
}

impl Folder for Directory {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Disk>> {
        let file = match self.find(path) {
            Ok(file) => file,
            Err(_) => {
                let file = Medium::on(self.power.clone(), Vec::new());
                self.change(vec![Step::Link(path.to_owned(), file.clone())])?;
                file
            }
        };
        let handle = file.handle();
        handle.set_len(0)?;
        Ok(handle)
    }

    fn source(&self, path: &Path) -> Arc<dyn Source> {
        Arc::new(Named(self.clone(), path.to_owned()))
    }

    fn exists(&self, path: &Path) -> bool {
        self.find(path).is_ok()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.find(from)?;
        self.change(vec![
            Step::Link(to.to_owned(), file),
            Step::Unlink(from.to_owned()),
        ])
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        self.change(vec![Step::Unlink(path.to_owned())])
    }

    fn sync(&self, _path: &Path) -> io::Result<()> {
        lock(&self.power).event(false)?;
        if self.is_cut() {
            return Err(broken());
        }
        if lock(&self.power).lies {
            return Ok(());
        }
        let mut names = lock(&self.names);
        names.unsynced.clear();
        names.synced = names.current.clone();
        Ok(())
    }
}

struct Named(Directory, PathBuf);

impl Source for Named {
    fn open(&self) -> io::Result<Arc<dyn Disk>> {
        match self.0.is_cut() {
            true => Err(broken()),
            false => Ok(self.0.find(&self.1)?.handle()),
        }
    }
    fn len(&self) -> u64 {
        self.0.find(&self.1).map_or(0, |file| file.source().len())
    }
}
