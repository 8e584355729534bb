//! The DKIM keys, kept in the store: made once, RSA and Ed25519, both signing; exchanged in steps.
//!
//! `rotate` makes new ones beside those in use, to be published; `switch` signs with them; the old ones
//! stay published, for mail that is on its way, until `retire`. Nothing of it happens by itself: who
//! publishes is a person.
use crate::mail::Mail;
use crate::sys::lock;
use crate::verify::key::Algorithm;
use crate::verify::sign::Signer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Mutex;

/// Where they stand.
pub(super) const KEY: &[u8] = b"dkim.keys";

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It signs.
    Signing,
    /// It is to be published.
    Next,
    /// It has signed, and is to stay published.
    Old,
}

impl Use {
    const ALL: [Use; 3] = [Use::Signing, Use::Next, Use::Old];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Use::Signing => "signing",
            Use::Next => "next",
            Use::Old => "old",
        }
    }
}

/// One key as it is kept.
struct Kept {
    selector: String,
    algorithm: Algorithm,
    der: Vec<u8>,
    usage: Use,
}

/// One at a time makes and changes keys.
static MAKING: Mutex<()> = Mutex::new(());

/// Each kind with the letter of its selectors.
const KINDS: [(&str, Algorithm); 2] =
    [("r", Algorithm::RsaSha256), ("e", Algorithm::Ed25519Sha256)];

/// Every key of a store and what it is for; they are made if there are none. Blocks, for seconds on a
/// small board.
///
/// # Errors
/// A sentence.
pub fn all(mail: &Mail) -> Result<Vec<(Signer, Use)>, String> {
    let _guard = lock(&MAKING);
    let kept = kept(mail)?;
    let mut all = Vec::with_capacity(kept.len());
    for it in &kept {
        let signer = Signer::new(&it.selector, it.algorithm, &it.der);
        let signer = signer.ok_or_else(|| format!("the DKIM key {} is damaged", it.selector))?;
        all.push((signer, it.usage));
    }
    Ok(all)
}

/// The keys that sign; as [`all`].
///
/// # Errors
/// A sentence.
pub fn signers(mail: &Mail) -> Result<Vec<Signer>, String> {
    let mut all = all(mail)?;
    all.retain(|(_, usage)| *usage == Use::Signing);
    Ok(all.into_iter().map(|(signer, _)| signer).collect())
}

/// The keys, a line each: selector, algorithm, what it is for.
///
/// # Errors
/// A sentence.
pub fn list(mail: &Mail) -> Result<Vec<String>, String> {
    let _guard = lock(&MAKING);
    let line = |it: &Kept| {
        let words = [it.selector.as_str(), it.algorithm.name(), it.usage.word()];
        words.join("\t")
    };
    Ok(kept(mail)?.iter().map(line).collect())
}

/// One step: `rotate`, `switch` or `retire`. Blocks, as [`all`].
///
/// # Errors
/// A sentence: it is not its turn.
pub fn step(mail: &Mail, step: &str) -> Result<(), String> {
    let _guard = lock(&MAKING);
    let mut kept = kept(mail)?;
    let has = |kept: &[Kept], usage| kept.iter().any(|it| it.usage == usage);
    match step {
        "rotate" if has(&kept, Use::Next) => {
            return Err(
                "there are new keys already: publish them (`pillarbox dns`), then `pillarbox dkim switch`"
                    .into(),
            );
        }
        "rotate" => make(&mut kept, Use::Next)?,
        "switch" if !has(&kept, Use::Next) => {
            return Err("there are no new keys: `pillarbox dkim rotate` makes some".into());
        }
        "switch" => {
            for it in &mut kept {
                it.usage = match it.usage {
                    Use::Next => Use::Signing,
                    _ => Use::Old,
                };
            }
        }
        "retire" if !has(&kept, Use::Old) => return Err("there are no old keys".into()),
        "retire" => kept.retain(|it| it.usage != Use::Old),
        _ => return Err("this step is not known".into()),
    }
    save(mail, &kept)
}

fn kept(mail: &Mail) -> Result<Vec<Kept>, String> {
    let stored = mail.get(KEY).map_err(|e| e.to_string())?;
    let mut kept = stored.map(|row| read(&row)).unwrap_or_default();
    if kept.is_empty() {
        make(&mut kept, Use::Signing)?;
        save(mail, &kept)?;
        log::info!("DKIM keys are made; `pillarbox dns` shows the records to publish");
    }
    Ok(kept)
}

/// Adds a key of each kind, under the next number.
fn make(kept: &mut Vec<Kept>, usage: Use) -> Result<(), String> {
    let number = |it: &Kept| it.selector.rsplit_once(['r', 'e'])?.1.parse::<u32>().ok();
    let next = kept.iter().filter_map(number).max().unwrap_or(0) + 1;
    for (letter, algorithm) in KINDS {
        kept.push(Kept {
            selector: format!("pillarbox-{letter}{next}"),
            algorithm,
            der: Signer::generate(algorithm)?,
            usage,
        });
    }
    Ok(())
}

fn save(mail: &Mail, kept: &[Kept]) -> Result<(), String> {
    let put = vec![(KEY.to_vec(), Some(write(kept)))];
    smol::block_on(mail.put(put)).map_err(|e| e.to_string())
}

/// Lines of selector, algorithm, base64 and use.
fn write(kept: &[Kept]) -> Vec<u8> {
    let mut text = String::new();
    for it in kept {
        let der = STANDARD.encode(&it.der);
        let words = [&it.selector, it.algorithm.name(), &der, it.usage.word()];
        text.push_str(&words.join(" "));
        text.push('\n');
    }
    text.into_bytes()
}

fn read(row: &[u8]) -> Vec<Kept> {
    let text = String::from_utf8_lossy(row);
    let kept = |line: &str| {
        let mut words = line.split(' ');
        Some(Kept {
            selector: words.next()?.to_owned(),
            algorithm: Algorithm::parse(words.next()?)?,
            der: STANDARD.decode(words.next()?).ok()?,
            // The first ones had no word.
            usage: match words.next() {
                None => Use::Signing,
                Some(word) => Use::ALL.into_iter().find(|it| it.word() == word)?,
            },
        })
    };
    text.lines().filter_map(kept).collect()
}
