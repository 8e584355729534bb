//! The DKIM keys, kept in the store: made once, RSA and Ed25519, both signing.
use crate::mail::Mail;
use crate::sys::lock;
use crate::verify::key::Algorithm;
use crate::verify::sign::Signer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Mutex;

const KEY: &[u8] = b"dkim.keys";

/// One key as it is kept.
struct Kept {
    selector: String,
    algorithm: Algorithm,
    der: Vec<u8>,
}

/// One at a time makes keys.
static MAKING: Mutex<()> = Mutex::new(());

/// The keys of a store; they are made if there are none. Blocks, for seconds on a small board.
///
/// # Errors
/// A sentence.
pub fn signers(mail: &Mail) -> Result<Vec<Signer>, String> {
    let _guard = lock(&MAKING);
    let stored = mail.get(KEY).map_err(|e| e.to_string())?;
    let mut kept = stored.map(|row| read(&row)).unwrap_or_default();
    if kept.is_empty() {
        for (selector, algorithm) in [
            ("pillarbox-r1", Algorithm::RsaSha256),
            ("pillarbox-e1", Algorithm::Ed25519Sha256),
        ] {
            let der = Signer::generate(algorithm)?;
            kept.push(Kept {
                selector: selector.to_owned(),
                algorithm,
                der,
            });
        }
        let put = vec![(KEY.to_vec(), Some(write(&kept)))];
        smol::block_on(mail.put(put)).map_err(|e| e.to_string())?;
        log::info!("DKIM keys are made; `pillarbox dns` shows the records to publish");
    }
    let signer = |it: &Kept| {
        Signer::new(&it.selector, it.algorithm, &it.der)
            .ok_or_else(|| format!("the DKIM key {} is damaged", it.selector))
    };
    kept.iter().map(signer).collect()
}

/// Lines of selector, algorithm and base64.
fn write(kept: &[Kept]) -> Vec<u8> {
    let line = |it: &Kept| {
        format!(
            "{} {} {}\n",
            it.selector,
            it.algorithm.name(),
            STANDARD.encode(&it.der)
        )
    };
    kept.iter().map(line).collect::<String>().into_bytes()
}

fn read(row: &[u8]) -> Vec<Kept> {
    let text = String::from_utf8_lossy(row);
    let kept = |line: &str| {
        let mut words = line.split(' ');
        Some(Kept {
            selector: words.next()?.to_owned(),
            algorithm: Algorithm::parse(words.next()?)?,
            der: STANDARD.decode(words.next()?).ok()?,
        })
    };
    text.lines().filter_map(kept).collect()
}
